"""The doctor finds numbers whose phones ring without labels."""

from __future__ import annotations

import pytest

from callsieve.doctor.dialplan import are_labelled
from callsieve.health import CheckStatus
from tests.callsieve.route_cases import check_context_of

SETTINGS = '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/callsieve-from-trunk-*"\n'
FRONT = """\
[ Context 'callsieve-from-trunk' created by 'pbx_config' ]
  '_X.' =>          1. Gosub(callsieve,s,1(${EXTEN}))             [x:1]
                    2. Goto(from-trunk,${EXTEN},1)                [x:2]
[ Context 'from-trunk' created by 'pbx_config' ]
"""
LABELLED = "  '2071838750' =>   1. Dial(PJSIP/201,30,tT${CALLSIEVE_DIAL})        [x:3]\n"


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        pytest.param(LABELLED, [], id="all carry it"),
        pytest.param(
            LABELLED
            + "  '2071838751' =>   1. Dial(PJSIP/202,30)         [x:4]\n"
            + "  '2071838752' =>   1. Dial(PJSIP/202,30,tT)         [x:5]\n",
            ["2071838751 (from-trunk,2071838751,1)", "2071838752 (from-trunk,2071838752,1)"],
            id="two do not",
        ),
        pytest.param(
            LABELLED + "  '2071838751' =>   1. Goto(office,s,1)      [x:4]\n"
            "[ Context 'office' created by 'pbx_config' ]\n  's' =>   1. Dial(PJSIP/201&PJSIP/202,30)  [x:5]\n",
            ["2071838751 (office,s,1)"],
            id="elsewhere",
        ),
        pytest.param(
            LABELLED
            + "  '2071838751' =>   1. Set(OPTIONS=tT${CALLSIEVE_DIAL})      [x:4]\n"
            + "                    2. Dial(PJSIP/202,30,${OPTIONS})  [x:5]\n",
            [],
            id="in a variable",
        ),
        pytest.param(LABELLED + "  '2071838751' =>   1. Dial(PJSIP/202,30,${OPTIONS})  [x:5]\n", [], id="undecidable"),
        pytest.param(
            LABELLED + "  '2071838751' =>   1. Dial(PJSIP/+12015550100@carrier,30)  [x:5]\n", [], id="sent on outside"
        ),
    ],
)
def test_each_number_without_a_label_is_named(steps: str, named: list[str]) -> None:
    answers = {"dialplan show": FRONT + steps, "dialplan show globals": ""}
    found = are_labelled(check_context_of(lambda command: answers.get(command, ""), SETTINGS))
    assert found.status is (CheckStatus.WARN if named else CheckStatus.OK)
    assert [item for item in named if item not in str(found.detail)] == []
    assert "2071838750" not in str(found.detail)
