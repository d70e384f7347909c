"""The facts query returns what is known and in force."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.caller_names import company_key
from reputation.facts import Facts
from reputation.model import (
    NO_SAMPLE,
    AuthClass,
    Did,
    Direction,
    Identity,
    Imported,
    ListName,
    Mark,
    Person,
    PersonalTie,
    Tie,
    Verdict,
)
from reputation.store.database import open_store
from reputation.store.facts import FACTS, facts_of
from reputation.store.identities import raise_epoch, set_identity
from reputation.store.imports import import_numbers
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, expect_call, set_personal_entry
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.people import replace_settings_dids, replace_settings_own_numbers, replace_settings_people
from reputation.store.site import close_window, record_emergency
from tests.reputation.histories import empty_store
from tests.reputation.store_builders import (
    CALLER,
    DAY,
    DID,
    NOW,
    facts,
    make_entry,
    make_mark,
    make_outcome,
    make_query,
    pass_challenge,
    write,
)

ANN = Person("201", "PJSIP/201", "sales", "en", "Ann")
BOB = Person("202", "PJSIP/202", "support", "zh", "Bob")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that knows Ann, Bob and one DID."""
    path = tmp_path / "callsieve.db"
    write(path, replace_settings_people, [ANN, BOB])
    write(path, replace_settings_dids, [Did(DID, ("sales",), "202")])
    return path


def unsampled(found: Facts) -> Facts:
    """Return the facts without the site's salt, which no two stores share."""
    return found._replace(sample=NO_SAMPLE)


def test_a_stranger_has_only_did_and_callee(store: Path) -> None:
    assert unsampled(facts(store)) == Facts(did=Did(DID, ("sales",), "202"), callee=BOB)


def test_an_empty_store_gives_empty_facts(tmp_path: Path) -> None:
    assert unsampled(facts(tmp_path / "callsieve.db")) == Facts()


def test_a_caller_without_a_number_has_a_did_and_a_callee(store: Path) -> None:
    write(store, expect_call, "201", NOW + 60)
    write(store, record_emergency, NOW - 60)
    write(store, add_entry, make_entry("+1*"))
    assert unsampled(facts(store, make_query(number=None))) == Facts(
        did=Did(DID, ("sales",), "202"),
        callee=BOB,
        ties=(PersonalTie(Tie.EXPECTED, "201", "sales", "PJSIP/201"),),
        emergency_at=NOW - 60,
    )


@pytest.mark.parametrize(
    ("endpoint", "did", "callee"),
    [
        pytest.param("PJSIP/201", DID, ANN, id="the-phone-outranks-the-did"),
        pytest.param(None, DID, BOB, id="else-the-callee-of-the-did"),
        pytest.param("PJSIP/999", DID, None, id="a-phone-without-a-person"),
        pytest.param(None, "+440000", None, id="an-unknown-did"),
        pytest.param(None, None, None, id="nothing-dialled"),
    ],
)
def test_the_callee_comes_from_endpoint_or_did(
    store: Path, endpoint: str | None, did: str | None, callee: Person | None
) -> None:
    assert facts(store, make_query(endpoint=endpoint, did=did)).callee == callee


def test_the_channel_of_a_person_is_recognised(store: Path) -> None:
    assert facts(store, make_query(channel_endpoint="PJSIP/201")).caller_person == ANN
    assert facts(store, make_query(channel_endpoint="PJSIP/carrier")).caller_person is None


def test_an_unscreened_did_is_known(store: Path) -> None:
    write(store, replace_settings_dids, [Did(DID, screen=False)])
    assert facts(store).did == Did(DID, screen=False)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param(["+1*", "+12015550123", "+12015550100-+12015550199"], "+12015550123", id="exact-first"),
        pytest.param(["+1*", "+120155*", "+1201*"], "+120155*", id="then-the-longest-prefix"),
        pytest.param(["+12015550123-+12015550123", "+1*"], "+1*", id="any-prefix-before-any-range"),
        pytest.param(
            ["+12015550000-+12015559999", "+12015550100-+12015550199"], "+12015550100-+12015550199", id="narrowest"
        ),
        pytest.param(["+12015550123*"], "+12015550123*", id="a-prefix-as-long-as-the-number"),
        pytest.param(["+12015550123-+12015550124"], "+12015550123-+12015550124", id="first-of-a-range"),
        pytest.param(["+12015550122-+12015550123"], "+12015550122-+12015550123", id="last-of-a-range"),
        pytest.param(["+12015550124-+12015550199"], None, id="just-below-a-range"),
        pytest.param(["+1201555-+1202555"], None, id="a-range-of-shorter-numbers"),
        pytest.param(["+120155501", "+12015550124", "+1202*", "+120155501234*"], None, id="none-matches"),
    ],
)
def test_the_most_specific_entry_counts(store: Path, entries: list[str], found: str | None) -> None:
    for text in entries:
        write(store, add_entry, make_entry(text))
    block = facts(store).block
    assert (block.text if block else None) == found
    assert facts(store).allow is None


def test_allow_and_block_entries_are_both_found(store: Path) -> None:
    block, allow = make_entry(action="challenge", note="often"), make_entry("+1201*", ListName.ALLOW)
    write(store, add_entry, block)
    write(store, add_entry, allow)
    assert (facts(store).block, facts(store).allow) == (block, allow)


def test_an_expired_entry_uncovers_a_wider_one(store: Path) -> None:
    for text, expires_at in ((CALLER, NOW), ("+120*", NOW - 1), ("+12*", NOW + 1), ("+1*", None)):
        write(store, add_entry, make_entry(text, expires_at=expires_at))
    write(store, add_entry, make_entry("+12015550100-+12015550199", ListName.ALLOW, expires_at=NOW))
    assert facts(store).block == make_entry("+12*", expires_at=NOW + 1)
    assert facts(store).allow is None


digits = st.text("01", min_size=1, max_size=5)


@given(st.lists(digits, max_size=8), st.lists(st.tuples(digits, digits), max_size=8), digits)
def test_the_narrowest_matching_range_is_found(prefixes: list[str], ends: list[tuple[str, str]], digits: str) -> None:
    ranges = [sorted(("+" + first, "+" + last)) for first, last in ends if len(first) == len(last)]
    number = "+" + digits
    texts = [f"+{prefix}*" for prefix in prefixes] + [f"{first}-{last}" for first, last in ranges]
    longest = max((p for p in prefixes if number.startswith(f"+{p}")), key=len, default=None)
    widths = [int(b) - int(a) for a, b in ranges if len(a) == len(number) and a <= number <= b]
    with closing(empty_store()) as db:
        db.execute("PRAGMA foreign_keys = ON")
        for text in texts:
            add_entry(db, make_entry(text))
        block = facts_of(db, make_query(number)).block
    if longest is not None:
        assert block is not None
        assert block.text == f"+{longest}*"
    elif widths:
        assert block is not None
        assert block.last is not None
        assert int(block.last) - int(block.first) == min(widths)
    else:
        assert block is None


def test_ties_name_the_person_the_group_and_the_phone(store: Path) -> None:
    write(store, set_personal_entry, PersonalEntry("201", CALLER, ListName.ALLOW, NOW))
    write(store, set_personal_entry, PersonalEntry("202", CALLER, ListName.BLOCK, NOW))
    write(store, set_personal_entry, PersonalEntry("203", CALLER, ListName.BLOCK, NOW))
    write(store, expect_call, "202", NOW + 1)
    write(store, expect_call, "201", NOW)
    for source in ("crm", "phones"):
        write(store, add_contacts, source, [Contact(CALLER, "Carol"), Contact(CALLER, "Carol", "201")])
    write(store, add_contacts, "crm", [Contact("+12015550999", "Dave", "201")])
    assert set(facts(store).ties) == {
        PersonalTie(Tie.ALLOW, "201", "sales", "PJSIP/201"),
        PersonalTie(Tie.BLOCK, "202", "support", "PJSIP/202"),
        PersonalTie(Tie.BLOCK, "203"),
        PersonalTie(Tie.EXPECTED, "202", "support", "PJSIP/202"),
        PersonalTie(Tie.CONTACT, None),
        PersonalTie(Tie.CONTACT, "201", "sales", "PJSIP/201"),
    }
    assert len(facts(store).ties) == 6


@pytest.mark.parametrize(
    ("mark", "is_tied"),
    [
        pytest.param(make_mark(verdict=Verdict.OK), True, id="not-spam"),
        pytest.param(make_mark(verdict=Verdict.OK, at=NOW - 180 * DAY), False, id="half-a-year-ago"),
        pytest.param(make_mark(verdict=Verdict.OK, at=NOW - 2 * DAY), False, id="of-an-earlier-owner"),
        pytest.param(make_mark(verdict=Verdict.OK, auth_class=AuthClass.AUTHENTICATED), False, id="of-another-class"),
        pytest.param(make_mark(), False, id="spam"),
        pytest.param(make_mark(verdict=Verdict.RETRACTED), False, id="taken-back"),
    ],
)
def test_a_not_spam_mark_is_a_tie(store: Path, mark: Mark, is_tied: bool) -> None:
    write(store, raise_epoch, CALLER, NOW - DAY, "reassigned", "admin")
    write(store, add_mark, mark)
    tied = (PersonalTie(Tie.NOT_SPAM, "201", "sales", "PJSIP/201", mark.at),) if is_tied else ()
    assert facts(store).ties == tied


def test_an_identity_counts_until_it_expires(store: Path) -> None:
    bank = Identity(CALLER, "First Bank", 2, NOW + DAY)
    write(store, set_identity, bank, NOW)
    assert facts(store).identity == bank
    assert facts(store, make_query(now=NOW + DAY)).identity is None


def test_imported_numbers_add_up_to_a_reputation(store: Path) -> None:
    with open_store(store) as db:
        import_numbers(db, "feed", "spam", [(CALLER, "scam", "Bad Co", "since May")], lambda: NOW)
        import_numbers(db, "customers", "ok", [(CALLER, None, None, None)], lambda: NOW + 1)
        import_numbers(db, "other", "spam", [("+12015550999", None, None, None)], lambda: NOW)
    assert set(facts(store).imported) == {
        Imported("feed", "spam", "scam", "Bad Co", "since May", NOW, is_feed=False),
        Imported("customers", "ok", imported_at=NOW + 1, is_feed=False),
    }
    assert facts(store).reputation.families[0].counts == (("spam", 1), ("ok", 1))


def test_an_import_that_is_not_live_does_not_count(store: Path) -> None:
    def stage(db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT INTO import_source (id, name, verdict, live, imported_at, touched_at, numbers)"
            " VALUES (7, 'feed', 'spam', 0, 0.0, 0.0, 1)"
        )
        db.execute("INSERT INTO imported VALUES (?, 7, NULL, NULL, NULL)", (CALLER,))

    write(store, stage)
    assert facts(store).imported == ()


def test_the_latest_pass_of_any_class_counts(store: Path) -> None:
    for at in (NOW - 5, NOW - 1, NOW - 3):
        write(store, pass_challenge, CALLER, AuthClass.UNKNOWN, at)
    write(store, pass_challenge, CALLER, AuthClass.UNAUTHENTICATED, NOW)
    write(store, pass_challenge, "+12015550999", AuthClass.UNKNOWN, NOW)
    for auth_class in AuthClass:
        assert facts(store, make_query(auth_class=auth_class)).passed_until == NOW + 30 * DAY


def test_the_latest_emergency_call_counts(store: Path) -> None:
    for at in (NOW - 5, NOW - 1, NOW - 3, NOW - 1):
        write(store, record_emergency, at)
    assert facts(store).emergency_at == NOW - 1
    write(store, record_emergency, NOW + 86_400)
    assert facts(store).emergency_at == NOW - 1, "a clock that was ahead hides none"


def test_a_closed_window_is_opened_by_later_emergency_calls_only(store: Path) -> None:
    for at in (NOW - 60, NOW + 60):  # one of a clock that was ahead
        write(store, record_emergency, at)
    write(store, close_window, NOW - 30)
    assert (facts(store).emergency_at, facts(store).emergency_closed_at) == (None, NOW - 30)
    write(store, record_emergency, NOW - 31)  # recorded late
    assert facts(store).emergency_at is None
    write(store, record_emergency, NOW - 29)
    assert facts(store).emergency_at == NOW - 29
    write(store, close_window, NOW - 10)
    assert facts(store).emergency_at is None


def test_a_closing_by_a_clock_ahead_keeps_no_window_closed(store: Path) -> None:
    write(store, close_window, NOW + 3600)
    write(store, record_emergency, NOW - 60)
    assert facts(store).emergency_at == NOW - 60


@pytest.mark.parametrize(
    ("number", "own"), [(DID, True), ("+442071838751", True), (CALLER, False)], ids=["did", "own-number", "stranger"]
)
def test_our_own_numbers_are_known(store: Path, number: str, own: bool) -> None:
    write(store, replace_settings_own_numbers, ["+442071838751"])
    assert facts(store, make_query(number)).own_number is own


@pytest.mark.parametrize(
    ("direction", "days", "known"),
    [
        pytest.param(Direction.OUTBOUND, 1, True, id="yesterday-by-one-of-us"),
        pytest.param(Direction.OUTBOUND, 31, False, id="a-month-ago"),
        pytest.param(Direction.INTERNAL, 1, False, id="an-inbound-call"),
    ],
)
def test_an_unanswered_outgoing_call_is_known(store: Path, direction: Direction, days: int, known: bool) -> None:
    at = NOW - days * DAY
    called = make_outcome(at=at, by="201", direction=direction)
    write(store, record_outcome, called, at)
    assert facts(store).dialled_at == (at if known else None)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        pytest.param("ACME DENTAL SUP", True, id="as-a-network-cuts-it"),
        pytest.param("Acme Dental", False, id="another-company"),
        pytest.param("", False, id="no-name"),
        pytest.param("Anonymous", False, id="a-word-for-no-name"),
    ],
)
def test_a_colleague_of_a_contact_is_known_by_the_company(store: Path, name: str, known: bool) -> None:
    contact = Contact("+12015550199", "Jo", None, company_key("Acme Dental Supplies"))
    write(store, add_contacts, "crm", [contact, Contact("+12015550198", "Al", None, company_key("Anonymous"))])
    assert facts(store, make_query()._replace(name=name)).is_company_known is known


def test_the_facts_query_scans_no_table(store: Path) -> None:
    parameters = {"number": CALLER, "listed": CALLER, "auth_class": "unknown", "did": DID, "endpoint": None, "now": NOW}
    parameters |= {
        "channel_endpoint": None,
        "company": "acme dental",
        "block": CALLER[:-3],
        "block_since": NOW,
        "many": 5,
    }
    with open_store(store) as db:
        plan = [detail for *_, detail in db.execute("EXPLAIN QUERY PLAN " + FACTS, parameters)]
    # A subquery is scanned in the place of its rows, of which LIMIT bounds the number, and the values of a list once.
    scans = [step for step in plan if step.startswith("SCAN") and not re.search("subquery|VALUES", step)]
    assert scans == ["SCAN CONSTANT ROW"]
    assert not [step for step in plan if "TEMP B-TREE" in step]
