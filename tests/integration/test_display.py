"""What phones show, in the INVITEs that reach them: labels, names and languages."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import Answering, CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SALES, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, Identity, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.identities import set_identity
from reputation.store.imports import import_numbers
from reputation.store.lists import add_entry
from tests.waiting import wait_until

# 202 speaks Mandarin and has a number of her own; the phone may transfer with the keys of features.conf.
OFFICE = EXTENSIONS.replace(
    "[spam-box]",
    """exten => +442071838753,1,Dial(PJSIP/202,20,${CALLSIEVE_DIAL})
exten => +442071838754,1,Dial(PJSIP/201,20,t${CALLSIEVE_DIAL})
exten => 202,1,Gosub(callsieve,s,1(202))
 same => n,Dial(PJSIP/202,20,${CALLSIEVE_DIAL})

[spam-box]""",
).replace("[from-internal]\n", "[from-internal]\ninclude => office\n")
BEI, TRANSFERS = "+442071838753", "+442071838754"
PEOPLE = """
[[did]]
number = "+442071838753"
callee = "202"
[reputation.sample]
every = 0
"""
TAGGED, WARNED, BUSINESS, SCAMMER = (f"+1201555014{n}" for n in range(4))


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    settings = SETTINGS.replace('name = "Bob"', 'name = "Bei"\nlanguage = "zh"') + PEOPLE
    with ScreenedPbx(extensions=OFFICE, settings=settings) as office:
        with open_store(office.daemon.store) as db:
            with transaction(db):
                for number, action in ((TAGGED, "tag"), (WARNED, "warn")):
                    entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=time.time())
                    add_entry(db, entry)
                set_identity(db, Identity(BUSINESS, "ACME Ltd", 2, time.time() + 86400), time.time())
            import_numbers(db, "list", "spam", [(SCAMMER, "scam", None, None)])
        yield office
        assert [line for line in office.asterisk.warnings() if "app_stack.c" not in line] == []


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle(5.0)


def shown(pbx: ScreenedPbx, caller: str, name: str, did: str = ALICE, phone: str = "201", trusted: bool = False) -> str:
    with Phone(pbx.asterisk, phone) as handset:
        carrier = pbx.trusted if trusted else pbx.carrier
        carrier.call(CallSpec(caller=caller, name=name, did=did, hang_up_after=0.3))
        return handset.wait_for_invite().from_name


@pytest.mark.parametrize(
    ("caller", "name", "did", "phone", "display"),
    [
        pytest.param(TAGGED, "Joe", ALICE, "201", "SPAM? Joe", id="tagged"),
        pytest.param(SCAMMER, "Joe", ALICE, "201", "Scam? Joe", id="by-category"),
        pytest.param(SCAMMER, "Joe", BEI, "202", "诈骗？Joe", id="in-the-callees-language"),
        pytest.param(TAGGED, "SPAM? Joe", ALICE, "201", "SPAM? Joe", id="a-call-that-was-marked-before"),
        pytest.param(TAGGED, "A" * 60, ALICE, "201", "SPAM? " + "A" * 25 + "…", id="no-longer-than-a-line"),
        pytest.param("+12015550148", "Verified: Bank", ALICE, "201", "Bank", id="a-forged-verified-label"),
        pytest.param("+12015550148", "Joe", ALICE, "201", "Joe", id="a-stranger"),
    ],
)
def test_the_phone_shows_label_and_name(
    pbx: ScreenedPbx, caller: str, name: str, did: str, phone: str, display: str
) -> None:
    assert shown(pbx, caller, name, did, phone) == display


def test_a_verified_business_is_shown_by_its_name(pbx: ScreenedPbx) -> None:
    assert shown(pbx, BUSINESS, "whatever", trusted=True) == "Verified: ACME Ltd"


def test_a_second_call_shows_the_label_once(pbx: ScreenedPbx) -> None:
    assert [shown(pbx, WARNED, "Joe") for _ in range(2)] == ["SPAM? Joe"] * 2


def test_both_phones_of_a_group_show_the_label_once(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201", Answering.never()) as alice, Phone(pbx.asterisk, "202") as bei:
        pbx.carrier.call(CallSpec(caller=TAGGED, name="Joe", did=SALES, hang_up_after=0.3))
        assert {phone.wait_for_invite().from_name for phone in (alice, bei)} == {"SPAM? Joe"}


@pytest.mark.parametrize("keys", ["#202", None])
def test_a_transferred_call_shows_the_label_once(pbx: ScreenedPbx, keys: str | None) -> None:
    """By the phone's keys, or by a redirect to the trunk's context, which asks again."""
    spec = CallSpec(caller=TAGGED, name="Joe", did=TRANSFERS, hang_up_after=None)
    with Phone(pbx.asterisk, "201", echo=False) as alice, Phone(pbx.asterisk, "202") as bei:
        with pbx.carrier.start(spec) as call:
            call.wait_until_answered()
            assert alice.wait_for_invite().from_name == "SPAM? Joe"
            if keys is not None:
                alice.press(keys)
            else:
                channels = pbx.asterisk.cli("core show channels concise").splitlines()
                [channel] = [line.split("!")[0] for line in channels if line.startswith("PJSIP/carrier")]
                pbx.asterisk.cli(f"channel redirect {channel} from-carrier,{BEI},1")
            assert bei.wait_for_invite().from_name == "SPAM? Joe"
        wait_until(lambda: not pbx.asterisk.cli("core show channels concise").strip(), "the end of the call")
