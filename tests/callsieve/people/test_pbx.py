"""Who is taken for a person, from what Asterisk's console prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.imports.operations import ImportKind
from callsieve.people.cli.commands import _change_words
from callsieve.people.operations import Takeover, TakeoverState
from callsieve.people.pbx import PbxKind, read_pbx
from callsieve.settings import Loaded, Settings, TrunkTable

CONSOLE = {
    "dialplan show": (
        "[ Context 'office' created by 'pbx_config' ]\n"
        "  '204' =>          hint: IAX2/joe                                [extensions.conf:1]\n"
        "  '900' =>          hint: IAX2/carrier                            [extensions.conf:2]\n"
    ),
    "module show": "chan_iax2.so    Inter Asterisk eXchange (Ver 2)   0          Running          core\n",
}


def test_hint_of_a_configured_trunk_is_not_a_person(tmp_path: Path) -> None:
    settings = Settings(trunk=(TrunkTable(name="carrier", channels="IAX2/carrier-*"),))
    context = CheckContext(
        Loaded(settings=settings, file=None, state=tmp_path), lambda command: CONSOLE.get(command, ""), 0.0
    )
    found = read_pbx(context, PbxKind.ASTERISK)
    assert [(person.extension, person.endpoint) for person in found.people] == [("204", "IAX2/joe")]


@pytest.mark.parametrize(
    ("caller_id", "name"),
    [
        pytest.param('"Ann Lee" <201>', "Ann Lee", id="quoted"),
        pytest.param("Ann Lee <201>", "Ann Lee", id="bare"),
        pytest.param('"Ann <the boss>" <201>', "Ann <the boss>", id="brackets"),
        pytest.param("<201>", None, id="no-name"),
        pytest.param("<unknown>", None, id="none"),
        pytest.param("Ann <201", "Ann <201", id="no-end"),
        pytest.param('"' + " " * 20_000 + "<201", "<201", id="long"),
    ],
)
def test_name_is_read_from_a_caller_id(tmp_path: Path, caller_id: str, name: str | None) -> None:
    console = {
        "pjsip show endpoints": " Endpoint:  201/201                 Not in use    0 of inf\n",
        "pjsip show endpoint 201": f" callerid                 : {caller_id}\n context                  : office\n",
    }
    loaded = Loaded(settings=Settings(), file=None, state=tmp_path)
    found = read_pbx(CheckContext(loaded, lambda command: console.get(command, ""), 0.0), PbxKind.ASTERISK)
    assert [(person.extension, person.name) for person in found.people] == [("201", name)]


def test_did_without_a_group_rings_its_endpoints(tmp_path: Path) -> None:
    console = {
        "pjsip show endpoints": " Endpoint:  201/201                 Not in use    0 of inf\n"
        " Endpoint:  202/202                 Not in use    0 of inf\n",
        "pjsip show endpoint carrier": " context                  : from-carrier\n",
        "dialplan show": "[ Context 'from-carrier' created by 'pbx_config' ]\n"
        "  '2015550100' =>   1. Dial(PJSIP/201&PJSIP/202,30)               [x:1]\n"
        "  '2015550101' =>   1. AGI(whoever.php)                           [x:2]\n"
        "  '2015550102' =>   1. Dial(PJSIP/202,30)                         [x:3]\n",
    }
    settings = Settings(trunk=(TrunkTable(name="carrier", channels="PJSIP/carrier-*"),))
    loaded = Loaded(settings=settings, file=None, state=tmp_path)
    found = read_pbx(CheckContext(loaded, lambda command: console.get(command, ""), 0.0), PbxKind.ASTERISK)
    assert {did.number: did.callee for did in found.dids} == {
        "+12015550100": None,
        "+12015550101": None,
        "+12015550102": "202",
    }
    assert found.rings == {"+12015550100": ("201", "202")}
    rows = [Takeover(ImportKind.DIDS, did.number, TakeoverState.NEW, None, did) for did in found.dids]
    does_not_say = ["the dialplan does not say" in _change_words(row, found) for row in rows]
    assert does_not_say == [False, True, False]
