"""Answers of look-ups: when they count as evidence and what they lead to, limits, and comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest

from reputation.facts import Facts, FactsQuery
from reputation.model import AuthClass, Imported, Level, Verdict
from reputation.numbers import stored_number
from reputation.store.as_of import background_of
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.imports import Feed, import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, add_contacts
from reputation.store.lookups import (
    Compared,
    DailyLimits,
    StoredAnswer,
    calls_of_listed,
    compared,
    last_failure,
    put_switch,
    record_answer,
    record_failure,
    replace_sources,
    reserve,
    source_state,
    switch_off,
    switch_on,
    usage_since,
)
from reputation.store.marks import add_mark
from reputation.store.sources import compared_with_feeds
from reputation.weights import DEFAULT
from tests.reputation.store_builders import CALLER, DAY, NOW, make_mark, make_record, pass_challenge, read, write

OTHER = "+12017421899"


def record_look_up(
    path: Path, verdict: str = "spam", source: str = "phoneblock", at: float = NOW, number: str = CALLER
) -> None:
    with open_store(path) as db:
        record_answer(db, number, StoredAnswer(source, verdict, "scam", at, at + 14 * DAY))


def known(path: Path, at: float = NOW, number: str = CALLER) -> Facts:
    return read(path, facts_of, FactsQuery(stored_number(number), AuthClass.UNKNOWN, None, at), DEFAULT)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "callsieve.db"
    write(path, replace_sources, {"phoneblock": False, "scores": True, "third": True})
    return path


def test_an_answer_is_evidence_of_its_source(store: Path) -> None:
    record_look_up(store)
    record_look_up(store, "ok", "scores", NOW - 1)
    record_look_up(store, "nothing", "third")
    assert set(known(store).imported) == {
        Imported("phoneblock", "spam", "scam", imported_at=NOW, is_feed=False, looked_up=True),
        Imported("scores", "ok", "scam", imported_at=NOW - 1, is_feed=True, looked_up=True),
    }
    assert known(store, number=OTHER).imported == ()


def test_look_up_answers_alone_lead_to_a_tag(store: Path) -> None:
    record_look_up(store)
    assert known(store).reputation.level is Level.TAG
    for source in ("scores", "third"):
        record_look_up(store, source=source)
    with open_store(store) as db:
        import_numbers(db, "a-feed", "spam", [(OTHER, None, None, None)], lambda: NOW)
    assert known(store).reputation.level is Level.TAG
    with open_store(store) as db:
        import_numbers(db, "a-feed", "spam", [(CALLER, None, None, None)], lambda: NOW)
        db.execute("UPDATE import_source SET format = 'list'")
    assert known(store).reputation.level is Level.CHALLENGE  # as with two feeds


def test_an_answer_expires(store: Path) -> None:
    record_look_up(store)
    assert known(store, NOW + 14 * DAY - 1).imported
    assert not known(store, NOW + 14 * DAY).imported


def test_the_latest_answer_counts(store: Path) -> None:
    record_look_up(store, "spam", at=NOW)
    record_look_up(store, "nothing", at=NOW + 1)
    assert not known(store, NOW + 1).imported
    record_look_up(store, "spam", at=NOW)  # it came late
    assert not known(store, NOW + 1).imported


def test_a_source_missing_from_the_settings_does_not_count(store: Path) -> None:
    record_look_up(store)
    write(store, replace_sources, {"scores": True})
    assert not known(store).imported
    write(store, replace_sources, {"phoneblock": True})
    assert [row.is_feed for row in known(store).imported] == [True]


def test_a_switched_off_source_does_not_count(store: Path) -> None:
    record_look_up(store)
    before = read(store, source_state, "phoneblock")
    assert before is not None
    assert write(store, switch_off, "phoneblock", NOW, "{}")
    assert not write(store, switch_off, "phoneblock", NOW + 1, "{}")
    assert not known(store).imported
    write(store, put_switch, "lookup_source", (None, None, before.since, "phoneblock"))
    assert known(store).imported
    write(store, switch_off, "phoneblock", NOW, "{}")
    assert write(store, switch_on, "phoneblock", NOW + 2)
    assert not write(store, switch_on, "phoneblock", NOW + 3)
    state = read(store, source_state, "phoneblock")
    assert state is not None
    assert (state.off_at, state.since) == (None, NOW + 2)


def test_a_replay_counts_an_answer_from_its_time(store: Path) -> None:
    record_look_up(store)
    background = read(store, background_of, CALLER)
    assert [row.source for row in background.then(NOW).imported] == ["phoneblock"]
    assert background.then(NOW - 1).imported == ()


def test_daily_limits_stop_look_ups(store: Path) -> None:
    with open_store(store) as db:
        few, cheap = DailyLimits(2), DailyLimits(9, 4_000, 9_000)
        assert [reserve(db, "a", NOW, few) for _ in range(3)] == [True, True, False]
        assert reserve(db, "a", NOW + DAY, few)
        assert [reserve(db, "b", NOW, cheap) for _ in range(3)] == [True, True, False]
        record_failure(db, "a", NOW, "timeout")
        assert usage_since(db, "a", NOW) == (3, 0, 1, 0)
        assert usage_since(db, "a", NOW + DAY) == (1, 0, 0, 0)
        assert usage_since(db, "b", NOW) == (2, 0, 0, 8_000)
        assert last_failure(db, "a") == "timeout"
        assert last_failure(db, "b") is None


def test_answers_are_compared_with_marks_and_calls(store: Path) -> None:
    numbers = [f"+1201742180{n}" for n in range(8)]
    marked, fine, both, nobody, passed, ok, old, retracted = numbers
    for number in numbers:
        record_look_up(store, number=number)
    record_look_up(store, "nothing", number=passed)
    record_look_up(store, "ok", number=ok)
    record_look_up(store, number=old, at=NOW - 20 * DAY)
    for number in (marked, both):
        write(store, add_mark, make_mark(number))
    write(store, add_mark, make_mark(ok, verdict=Verdict.OK))
    write(store, add_mark, make_mark(retracted, verdict=Verdict.RETRACTED))
    write(store, add_contacts, "crm", [Contact(fine, "Carol"), Contact(both, "Carol")])
    write(store, pass_challenge, passed, AuthClass.UNKNOWN, NOW)
    assert read(store, compared, "phoneblock", NOW - DAY) == Compared(
        spam_of_spam=1, spam_of_fine=1, other_of_fine=1, fine_of_fine=1, unknown=4
    )
    assert read(store, compared, "scores", 0.0) == Compared()
    assert nobody != old


def test_calls_a_source_would_have_changed_are_counted(store: Path) -> None:
    record_look_up(store)
    rows = [("a", -60.0, "allow"), ("b", -0.2, "allow"), ("c", 60.0, "tag"), ("d", 120.0, "warn")]
    write(store, record_decisions, [make_record(name, NOW + at, caller=CALLER, action=act) for name, at, act in rows])
    assert read(store, calls_of_listed, "phoneblock", 0.0) == (3, 2)
    assert read(store, calls_of_listed, "phoneblock", NOW + 1) == (0, 0)


def test_a_feed_is_compared_with_marks_and_calls(store: Path) -> None:
    listed_spam, listed_fine, unlisted_spam, unlisted_fine, both, old = [f"+1201742180{n}" for n in range(6)]
    with open_store(store) as db:
        rows = [(number, None, None, None) for number in (listed_spam, listed_fine, both, old, OTHER)]
        import_numbers(db, "ftc", "spam", rows, lambda: NOW, feed=Feed("CSV"))
        import_numbers(db, "by hand", "spam", rows, lambda: NOW)
        import_numbers(db, "strangers", "spam", [("+12017421999", None, None, None)], lambda: NOW, feed=Feed("CSV"))
    for number in (listed_spam, unlisted_spam, both):
        write(store, add_mark, make_mark(number))
    write(store, add_mark, make_mark(old, at=NOW - 100 * DAY))
    write(store, add_contacts, "crm", [Contact(number, "Carol") for number in (listed_fine, both, OTHER)])
    write(store, pass_challenge, unlisted_fine, AuthClass.UNKNOWN, NOW)
    calls = [(listed_fine, NOW), (both, NOW)]  # the third contact never called
    write(store, record_decisions, [make_record(f"d{n}", at, caller=number) for n, (number, at) in enumerate(calls)])
    assert read(store, compared_with_feeds, NOW - 90 * DAY) == {
        "ftc": Compared(spam_of_spam=1, spam_of_fine=1, other_of_spam=1, other_of_fine=1, unknown=1)
    }
