"""A storm of numbers that are used once, on a real Asterisk, and an honest stranger in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import CallSpec, Phone
from lab.screened import SETTINGS, ScreenedPbx
from tests.integration.office import decision_on

BLOCK, FIRST_DID = "+12015558", 442071838760
TAGGED = "New number? Joe"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(settings=SETTINGS.replace("[reputation.outside]\nstorm = 0\n", "")) as office:
        yield office


def shown(pbx: ScreenedPbx, caller: str, did: str) -> str:
    """Return what the phone shows of a call to one of our numbers."""
    with Phone(pbx.asterisk, "201") as handset:
        assert pbx.carrier.call(CallSpec(caller=caller, name="Joe", did=did, hang_up_after=0.2)).code == 200
        return handset.wait_for_invite().from_name


def test_a_storm_is_tagged_from_its_third_call(pbx: ScreenedPbx) -> None:
    """Each number of one block calls once, to our numbers in order. A stranger meanwhile is not tagged."""
    storm = [(f"{BLOCK}{17 * n:03d}", f"+{FIRST_DID + n}") for n in range(5)]
    seen = [shown(pbx, *call) for call in storm[:3]]
    stranger = shown(pbx, "+13125550147", "+442071838790")
    seen += [shown(pbx, *call) for call in storm[3:]]
    assert seen == ["Joe", "Joe", TAGGED, TAGGED, TAGGED]
    assert stranger == "Joe"
    kept = [decision_on(pbx.daemon.store, caller) for caller, _ in storm]
    assert [(item.action, item.rule) for item in kept] == [("allow", "default")] * 2 + [("tag", "storm")] * 3
    assert all(item.first_call and item.level == "none" for item in kept), "it is no evidence against the numbers"


def test_a_number_that_calls_many_dids_is_not_tagged(pbx: ScreenedPbx) -> None:
    """A clinic reminds its patients in this way."""
    seen = [shown(pbx, "+14155550148", f"+{FIRST_DID + 100 + n}") for n in range(3)]
    assert seen == ["Joe"] * 3
