"""Calls from numbers without an E.164 form, on a real Asterisk: listed, marked, blocked by prefix and shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from callsieve.text.number_entry import parse_entry
from lab import CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import CallerKind, DecisionRecord, EntryKind, Identity, ListEntry, ListName, Verdict
from reputation.store.connection import open_store, transaction
from reputation.store.identities import set_identity
from reputation.store.lists import add_entry
from reputation.store.marks import last_caller_of, marks_between
from tests.integration.office import decision_on, journal, start_listening
from tests.integration.test_codes import dial
from tests.waiting import wait_until

OFFICE = EXTENSIONS.replace("[from-internal]\n", "[from-internal]\ninclude => callsieve-codes\n")
# A trunk of each country: what its carrier sends without a plus is read by that country's plan.
CHINA = SETTINGS.replace('region = "US"', 'region = "CN"').replace('region = "GB"', 'region = "FR"')
SAMPLE = "\n[reputation.sample]\nevery = 0\n"
BANK, BLOCKED_BANK, CARRIER = "+8695588", "+8696110", "+8610086"
TAGGED = "+8612306"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=OFFICE, start_daemon=False, patient=True) as office:
        start_listening(office, CHINA + SAMPLE)
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            for text, region in (("96*", "CN"), ("0162*", "FR"), ("+91140*", "CN")):
                add_entry(db, parse_entry(text, ListName.BLOCK, region))
            add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, TAGGED, action="tag", added_at=now))
            set_identity(db, Identity(CARRIER, "Mobile Ltd", 2, now + 86400), now)
        yield office
        assert [line for line in office.asterisk.warnings() if "app_stack.c" not in line] == []


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle()


def latest(pbx: ScreenedPbx, caller: str, key: str | None, trusted: bool = False) -> tuple[int | None, DecisionRecord]:
    """Call Alice, and return how the call ended and the decision on it."""
    before = len(journal(pbx.daemon.store))
    with Phone(pbx.asterisk, "201"):
        result = (pbx.trusted if trusted else pbx.carrier).call(CallSpec(caller=caller, name="Joe", did=ALICE))
    wait_until(lambda: len(journal(pbx.daemon.store)) > before, "the decision")
    return result.code, decision_on(pbx.daemon.store, key)


@pytest.mark.parametrize("caller", ["95588", "+8695588", "8695588", "008695588"])
def test_a_bank_has_one_key_however_the_carrier_writes_it(pbx: ScreenedPbx, caller: str) -> None:
    code, record = latest(pbx, caller, BANK)
    assert (code, record.caller, record.caller_kind, record.action) == (200, BANK, CallerKind.SERVICE, "allow")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"raw_from": "<sip:95588@127.0.0.1;user=phone>"}, id="from"),
        pytest.param({"raw_from": '"ICBC" <sip:+8695588@127.0.0.1>;x=y'}, id="from-with-plus"),
        pytest.param({"raw_from": "<tel:95588;phone-context=+86>"}, id="from-tel"),
        pytest.param({"raw_from": "<tel:+8695588>"}, id="from-tel-with-plus"),
        pytest.param({"headers": {"P-Asserted-Identity": "<sip:95588@carrier.example>"}}, id="asserted"),
        pytest.param({"headers": {"P-Asserted-Identity": "<tel:+8695588>"}}, id="asserted-tel"),
        pytest.param({"headers": {"Remote-Party-ID": "<sip:95588@h>;party=calling"}}, id="remote-party-id"),
        pytest.param(
            {"headers": {"P-Asserted-Identity": "<sip:8695588;verstat=No-TN-Validation@h>"}}, id="asserted-with-verstat"
        ),
    ],
)
def test_a_bank_has_one_key_in_each_form_of_header(pbx: ScreenedPbx, spec: dict[str, Any]) -> None:
    before = len(journal(pbx.daemon.store))
    with Phone(pbx.asterisk, "201"):
        assert pbx.carrier.call(CallSpec(caller=None, did=ALICE, **spec)).code == 200
    wait_until(lambda: len(journal(pbx.daemon.store)) > before, "the decision")
    latest, *_ = journal(pbx.daemon.store)
    assert (latest.caller, latest.caller_kind) == (BANK, CallerKind.SERVICE)


@pytest.mark.parametrize(
    ("caller", "key", "trusted"),
    [
        pytest.param("96110", BLOCKED_BANK, False, id="cn-service-number"),
        pytest.param("+8696110", BLOCKED_BANK, False, id="cn-service-number-with-plus"),
        pytest.param("0162123456", "+33162123456", True, id="fr-telemarketing"),
        pytest.param("+33162123456", "+33162123456", False, id="fr-telemarketing-with-plus"),
        pytest.param("+911401234567", "+911401234567", False, id="in-telemarketing"),
    ],
)
def test_a_blocked_prefix_rejects_a_service_number(pbx: ScreenedPbx, caller: str, key: str, trusted: bool) -> None:
    code, record = latest(pbx, caller, key, trusted)
    assert (code, record.action, record.rule) == (486 if trusted else 603, "reject", "blocklist")


@pytest.mark.parametrize(
    ("caller", "key"),
    [
        pytest.param("02110086", "+862110086", id="with-its-area-code"),
        pytest.param("4008123456", "+864008123456", id="400"),
    ],
)
def test_numbers_similar_to_service_numbers_stay_separate(pbx: ScreenedPbx, caller: str, key: str) -> None:
    code, record = latest(pbx, caller, key)
    assert (code, record.caller_kind, record.action) == (200, CallerKind.NUMBER, "allow")


@pytest.mark.parametrize(
    ("caller", "name", "number", "display"),
    [
        pytest.param("12306", "Joe", "12306", "SPAM? Joe", id="tagged"),
        pytest.param("95588", "Joe", "95588", "Joe", id="stranger"),
        pytest.param("+8695588", "Verified:", "+8695588", "95588", id="its-digits-in-the-place-of-a-forged-name"),
        pytest.param("1x2", "Joe", "1x2", "Unreadable Joe", id="what-was-received"),
    ],
)
def test_the_phone_shows_the_service_number(
    pbx: ScreenedPbx, caller: str, name: str, number: str, display: str
) -> None:
    with Phone(pbx.asterisk, "201") as phone:
        pbx.carrier.call(CallSpec(caller=caller, name=name, did=ALICE, hang_up_after=0.3))
        invite = phone.wait_for_invite()
    assert (invite.from_number, invite.from_name) == (number, display)


def test_a_verified_service_number_shows_its_name(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201") as phone:
        pbx.trusted.call(CallSpec(caller="+8610086", name="Joe", did=ALICE, hang_up_after=0.3))
        assert phone.wait_for_invite().from_name == "Verified: Mobile Ltd"


def test_a_service_number_is_marked_and_blocked_from_the_phone(pbx: ScreenedPbx) -> None:
    def is_last() -> bool:
        with open_store(pbx.daemon.store) as db:
            return getattr(last_caller_of(db, "201"), "number", "") == BANK

    code, _ = latest(pbx, "95588", BANK)
    assert code == 200
    wait_until(is_last, "the last caller", 30.0)
    dial(pbx, "*37")
    with open_store(pbx.daemon.store) as db:
        marks = [(mark.number, mark.reporter, mark.verdict) for mark in marks_between(db, 0.0, time.time() + 60.0)]
        assert marks == [(BANK, "201", Verdict.SPAM)]
    code, record = latest(pbx, "+8695588", BANK)
    assert (code, record.action, record.rule) == (603, "reject", "callee-blocklist")


def test_an_emergency_number_is_never_screened(pbx: ScreenedPbx) -> None:
    for caller in ("110", "+86120"):
        code, record = latest(pbx, caller, None)
        assert (code, record.rule, record.caller_kind) == (200, "emergency-number", CallerKind.EMERGENCY)
