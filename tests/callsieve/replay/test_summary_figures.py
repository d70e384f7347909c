"""What the last days add up to: from the journal, from how calls ended, and from what people said."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from callsieve.replay.store_history import replay_context
from callsieve.replay.summary import (
    CallerCount,
    LetThrough,
    PeriodSummary,
    RuleCount,
    known_in_store,
    summary_of,
)
from callsieve.settings import Loaded, Settings
from reputation.encoding import plain
from reputation.model import ChallengeResult, DecisionRecord, Did, Direction, Disposition, Identity, Verdict
from reputation.outcome import OutcomeRecord
from reputation.store.database import open_store
from reputation.store.identities import set_identity
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes, settle_outcomes
from reputation.store.people import replace_settings_own_numbers, upsert_dids
from reputation.store.transaction import transaction
from tests.reputation.store_builders import DAY, NOW, make_mark, make_outcome, make_record

HOUR = 3600.0
CALLER, OTHER = "+12017421834", "+12017421835"
IDS = count(1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "store.db") as db:
        yield db


def decided(hours_ago: float, would_be: str = "allow", *, caller: str | None = CALLER, **others: Any) -> DecisionRecord:
    """A decision, in observe mode, by a rule that is called as its action."""
    number = next(IDS)
    record = make_record(f"D{number}", NOW - hours_ago * HOUR, caller, f"call{number}", action="allow")
    return record._replace(**{"would_be": would_be, "rule": f"level-{would_be}", "policy": "observe"} | others)


def ended(hours_ago: float, of: DecisionRecord | None = None, **others: Any) -> OutcomeRecord:
    """How a call ended: that of a decision, or another."""
    linkedid = of.linkedid if of is not None else f"call{next(IDS)}"
    return make_outcome(linkedid, NOW - hours_ago * HOUR, **{"caller": CALLER} | others)


def called_back(hours_ago: float, seconds: float = 60.0) -> OutcomeRecord:
    """202 calls CALLER and talks."""
    return ended(hours_ago, by="202", talk=seconds, direction=Direction.OUTBOUND, caller="202", dialled=CALLER)


def summed(db: sqlite3.Connection, *what: DecisionRecord | OutcomeRecord, days: float = 7.0) -> PeriodSummary:
    with transaction(db):
        record_decisions(db, [item for item in what if isinstance(item, DecisionRecord)])
        record_outcomes(db, [item for item in what if isinstance(item, OutcomeRecord)], NOW)
        settle_outcomes(db, NOW + 61)
    return summary_of(db, NOW - days * DAY, NOW)


def test_calls_of_the_span_are_counted_by_would_be_action(db: sqlite3.Connection) -> None:
    found = summed(
        db,
        decided(24 * 8, "reject"),
        decided(24 * 6, "warn"),
        decided(2),
        decided(1, "tag", caller=None),
    )
    assert (found.calls, found.without_number, found.observed) == (3, 1, 2)
    assert {action: n for action, n in found.actions.items() if n} == {"warn": 1, "allow": 1, "tag": 1}
    assert (found.stopped, found.warned) == (0, 1)
    assert found.policies == {"observe": 3}
    assert len(found.periods) == 7
    assert sum(period.actions.total() for period in found.periods) == 3


def test_a_call_counts_once_with_its_trunk_decision(db: sqlite3.Connection) -> None:
    first = decided(2, "warn")
    found = summed(db, first, first._replace(id="later", at=first.at + 1, would_be="allow", callee="201"))
    assert (found.calls, found.actions["warn"]) == (1, 1)


def test_summary_of_no_calls(db: sqlite3.Connection) -> None:
    found = summed(db)
    assert (found.calls, found.periods, found.rules, found.median_ms) == (0, [], [], 0.0)


def test_rules_and_callers_are_sorted_by_calls(db: sqlite3.Connection) -> None:
    found = summed(
        db,
        decided(5, "challenge", caller=OTHER),
        decided(4, "warn"),
        decided(3, "challenge", log_odds=4.0),
        decided(2, "challenge", log_odds=5.0),
    )
    assert found.rules == [
        RuleCount("level-challenge", 3, 2, {"challenge": 3}),
        RuleCount("level-warn", 1, 1, {"warn": 1}),
    ]
    assert found.callers == [
        CallerCount(CALLER, 2, {"challenge": 2, "warn": 1}, 22, NOW - 2 * HOUR),
        CallerCount(OTHER, 1, {"challenge": 1}, 0, NOW - 5 * HOUR),
    ]


@pytest.mark.parametrize(
    ("after", "why"),
    [
        pytest.param([called_back(1)], "one of our people called the number back later and talked", id="called-back"),
        pytest.param([called_back(1, 29.0)], None, id="but-hardly-talked"),
        pytest.param([called_back(5)], None, id="called-before"),
        pytest.param([ended(1.5, ring=3.0), called_back(1)], None, id="after-a-one-ring-call"),
        pytest.param(
            [ended(9, by="201", talk=61.0), ended(8, by="202", talk=61.0)],
            "2 of our people talked with the caller for more than a minute",
            id="talked-with-two",
        ),
        pytest.param([ended(9, by="201", talk=61.0)], None, id="talked-with-one"),
    ],
)
def test_probable_mistakes(db: sqlite3.Connection, after: list[OutcomeRecord], why: str | None) -> None:
    found = summed(db, decided(4, "challenge"), decided(4, "warn", caller=OTHER), *after)
    assert [(mistake.number, *map(str, mistake.why)) for mistake in found.mistakes] == ([(CALLER, why)] if why else [])
    assert found.warned_mistakes == []


def test_a_warning_of_a_verified_number_is_a_likely_mistake(db: sqlite3.Connection) -> None:
    with transaction(db):
        set_identity(db, Identity(CALLER, "Acme Bank", 2, NOW + DAY), NOW - DAY)
    found = summed(db, decided(4, "warn"))
    assert [(mistake.number, [why.places for why in mistake.why]) for mistake in found.warned_mistakes] == [
        (CALLER, [{"name": "Acme Bank"}])
    ]


def test_automated_caller_with_a_message_comes_first(db: sqlite3.Connection) -> None:
    stopped = decided(4, "challenge", action="challenge")
    found = summed(
        db,
        *(decided(3, "challenge", caller=OTHER) for _ in range(3)),
        *(ended(hours, caller=OTHER, by=who, talk=61.0) for hours, who in ((9, "201"), (8, "202"))),
        ended(10, by="201", talk=20.0),
        stopped,
        ended(4, stopped, challenge=ChallengeResult.SILENT, voicemail_left=True),
    )
    assert [(mistake.number, mistake.is_machine) for mistake in found.mistakes] == [(CALLER, True), (OTHER, False)]
    told = plain(found)["probable_mistakes"]["numbers"]
    assert (told[0]["is_machine"], sorted(told[0]["remedies"])) == (True, ["allow", "not-spam", "prove"])
    assert (told[1]["is_machine"], told[1]["remedies"]) == (False, {})


def test_marked_numbers_that_were_let_through(db: sqlite3.Connection) -> None:
    with transaction(db):
        for mark in (
            make_mark(CALLER, reporter="201", at=NOW - 3 * HOUR),
            make_mark(CALLER, reporter="202", at=NOW - 2 * HOUR),
            make_mark(OTHER, at=NOW - 2 * HOUR),
            make_mark("+12017421836", at=NOW - 8 * DAY),
            make_mark("+12017421837", verdict=Verdict.OK, at=NOW - HOUR),
        ):
            add_mark(db, mark)
    numbers = (OTHER, "+12017421836", "+12017421837")
    found = summed(
        db, decided(5), decided(4), decided(1, "tag"), *(decided(1, "warn", caller=number) for number in numbers)
    )
    assert found.let_through == [LetThrough(CALLER, 2, 2, NOW - HOUR)]
    assert found.marks == {"spam": 3, "ok": 1}


def test_conditions_that_need_attention_are_counted(db: sqlite3.Connection) -> None:
    screened = decided(3)
    found = summed(
        db,
        screened,
        decided(2, rule="fail-open", reason="timed out"),
        ended(3, screened),
        ended(2.5),
        ended(2.4, complete=False),
        ended(2.3, source="cdr"),
        ended(2.2, direction=Direction.INTERNAL),
        ended(0.01, disposition=Disposition.BUSY),
    )
    assert found.fail_open == {"timed out": 1}
    assert (found.outcomes, found.incomplete, found.unscreened) == (6, 1, 2)


def test_call_that_begins_just_before_its_decision_is_screened(db: sqlite3.Connection) -> None:
    """As on a real Asterisk: the channel is there 0.3 to 8 ms before the dialplan asks."""
    screened = decided(3)
    found = summed(db, screened, ended(3, screened)._replace(at=screened.at - 0.008), ended(2))
    assert (found.outcomes, found.unscreened) == (2, 1)


def test_decision_times_have_median_and_slowest(db: sqlite3.Connection) -> None:
    found = summed(db, *(decided(1, elapsed_ms=float(ms)) for ms in range(1, 101)))
    assert (found.median_ms, found.slow_ms) == (51.0, 100.0)


def test_long_span_is_shown_by_weeks(db: sqlite3.Connection) -> None:
    found = summed(db, decided(24 * 80), decided(1), days=90)
    assert found.weekly
    assert len(found.periods) in (12, 13)


def test_replay_uses_the_same_own_numbers(db: sqlite3.Connection, tmp_path: Path) -> None:
    with transaction(db):
        upsert_dids(db, [Did(OTHER)], "asterisk")
        replace_settings_own_numbers(db, ["+12017421836"])
    ours = replay_context(db, Loaded(settings=Settings(), file=None, state=tmp_path)).ours.own_numbers
    numbers = (CALLER, OTHER, "+12017421836")
    assert [known_in_store(db, number).is_own for number in numbers] == [number in ours for number in numbers]
    assert len(ours) == 2
