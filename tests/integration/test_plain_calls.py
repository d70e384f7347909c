"""Calls for which [callsieve] takes few steps, and calls for which it takes more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callsieve.pbx.cli_output import globals_in
from lab import CallSpec
from lab.screened import EXTENSIONS, ScreenedPbx
from tests.integration.office import decision_on
from tests.waiting import wait_until

# What is left of a call's time, of the variable that AGI reads, and the rule, each in a global of the extension's.
AFTERWARDS = """\
[from-carrier]
exten => plain,1,Goto(afterwards,plain,1)
exten => limited,1,Set(TIMEOUT(absolute)=60)
 same => n,Goto(afterwards,limited,1)
exten => local,1,Goto(afterwards,local,1)
exten => trusted,1,Goto(afterwards,trusted,1)

[afterwards]
exten => _[a-z]!,1,Gosub(callsieve,s,1(201))
 same => n,Set(left=${TIMEOUT(absolute):0:2}/${AGIEXITONHANGUP})
 same => n,Set(GLOBAL(AFTER_${EXTEN})=${left}/${CALLSIEVE_RULE}/${CALLSIEVE_CARRIER})
 same => n,Answer()
 same => n,Hangup()

"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(
        extensions=AFTERWARDS + EXTENSIONS.replace("[from-carrier]\n", "[others]\n", 1), patient=True
    ) as office:
        yield office
        assert office.asterisk.warnings() == []


def variables_after(pbx: ScreenedPbx, extension: str) -> str:
    """Return the variables that the dialplan has after a call to the extension."""

    def found() -> str:
        return globals_in(pbx.asterisk.cli("dialplan show globals")).get(f"AFTER_{extension}", "")

    wait_until(found, "the end of the call")
    return found()


def test_a_plain_call_has_no_limit_afterwards(pbx: ScreenedPbx) -> None:
    assert pbx.carrier.call(CallSpec(caller="+12015550150", did="plain")).code == 200
    assert variables_after(pbx, "plain") == "0//default/"
    assert decision_on(pbx.daemon.store, "+12015550150").trunk == "carrier"


def test_an_earlier_time_limit_holds_again(pbx: ScreenedPbx) -> None:
    assert pbx.carrier.call(CallSpec(caller="+12015550151", did="limited")).code == 200
    assert variables_after(pbx, "limited") in ("59//default/", "60//default/")


def test_a_channel_that_is_not_pjsips_is_screened(pbx: ScreenedPbx) -> None:
    pbx.asterisk.cli("channel originate Local/local@from-carrier application Wait 1")
    assert variables_after(pbx, "local") == "0//withheld/"


def test_verstat_is_read_only_for_a_trusted_trunk(pbx: ScreenedPbx) -> None:
    """From the trunk's first call, which is asked about twice and decided once."""
    assert pbx.trusted.call(CallSpec(caller="+442071830152", did="trusted")).code == 200
    assert variables_after(pbx, "trusted") == "0//default/yes"
    assert decision_on(pbx.daemon.store, "+442071830152").trunk == "trusted"
