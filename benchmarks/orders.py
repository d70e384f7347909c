"""Replays a history twice, and learns its calls and marks in another order. Decisions and evidence must be equal.

The history has challenges, labels, ties, marks that change, and many equal times. Evidence rows are compared by a
checksum. The sums over them (`Standing`) are compared at one instant, rounded to 1e-6, because the last bits of a sum
depend on the order.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from benchmarks.callers import SEED, number_at
from benchmarks.figures import Figure
from benchmarks.replay import DAYS, EVENTS, KINDS, PEOPLE, QUICK_EVENTS, START
from benchmarks.workbench import Workbench
from callsieve.replay.engine import NOBODYS, Replay
from callsieve.replay.history_file import Event, PastCall
from callsieve.replay.report import line_of
from policies.loader import load_policy
from reputation.formulas import decayed
from reputation.memory_store import MemoryStore
from reputation.model import (
    AuthClass,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    Mark,
    MarkChannel,
    Tie,
    Verdict,
)
from reputation.outcome import OutcomeRecord
from reputation.standing import Rows, Standing
from reputation.store.database import open_store
from reputation.store.evidence_rows import rows_of
from reputation.store.facts import standing
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction
from reputation.weights import DAY_SECONDS, DEFAULT

T = TypeVar("T")

STORED = 20_000  # fewer, because a store writes every step to disk
BATCH = 500
END = START + (DAYS + 1) * DAY_SECONDS
REPEATED = 0.05
READ_BETWEEN = 0.1  # reads in between, so that standings are also updated step by step, not only folded at the end

DIDS = [f"+44207183875{digit}" for digit in range(10)]
ACTIONS = ((None, 0.82), ("tag", 0.03), ("warn", 0.08), ("challenge", 0.07))
TIES = ((None, 0.95), (Tie.ALLOW, 0.02), (Tie.CONTACT, 0.02), (Tie.EXPECTED, 0.01))
VERDICTS = ((Verdict.SPAM, 0.8), (Verdict.OK, 0.1), (Verdict.RETRACTED, 0.1))


class Checksums(NamedTuple):
    """Checksums of all evidence rows and of all standings, which are the sums over these rows."""

    rows: str
    standings: str


def measure(bench: Workbench) -> list[Figure]:
    """Measure the events per second of each way to process a history. Raise AssertionError if two results differ."""
    many = QUICK_EVENTS if bench.quick else EVENTS
    bench.say(f"inventing {many:,} calls and marks")
    events = history(many)
    first, seconds = _timed(lambda: _replayed(events))
    second, again = _timed(lambda: _replayed(events))
    bench.say(
        f"checksums after both replays: decisions {first[0]}, evidence {first[1].rows}, standings {first[1].standings}"
    )
    _same("a second replay of the history", first, second)
    items = [event.outcome if isinstance(event, PastCall) else event for event in events]
    in_order, learning = _timed(lambda: _learnt(items))
    shuffled, mixed = _timed(lambda: _learnt(_shuffled(items)))
    bench.say(f"checksums after learning in any order: evidence {in_order.rows}, standings {in_order.standings}")
    _same("learning in another order", in_order, shuffled)
    few = items[: STORED // 4] if bench.quick else items[:STORED]
    stored = _stored(few, bench.directory / "in-order.db")
    _same("learning in another order, in the store,", stored, _stored(_shuffled(few), bench.directory / "shuffled.db"))
    _same("learning in memory instead of the store", stored, _learnt(few))
    bench.say(
        f"{len(few):,} events learnt in the store, checksums: evidence {stored.rows}, standings {stored.standings}"
    )
    note = f"{many:,} calls, challenges and marks; the checksums are equal"
    return [
        Figure("history replayed twice", [many / seconds, many / again], "/s", note=note),
        Figure("history learnt in order and in random order", [many / learning, many / mixed], "/s", note=note),
    ]


def history(events: int, seed: int = SEED) -> list[Event]:
    """Return invented calls and marks in order of time. Times are whole seconds, so many are equal."""
    chance = random.Random(seed)
    weights = [kind[0] for kind in KINDS]
    step, at, fresh = DAYS * DAY_SECONDS / events, START, 0
    made: list[Event] = []
    while len(made) < events:
        at += chance.expovariate(1 / step)
        place = chance.choices(range(len(KINDS)), weights)[0]
        _, many, answering, talk, marking = KINDS[place]
        fresh += many == 0
        number = number_at(place * 10_000 + chance.randrange(many) if many else 100_000 + fresh)
        call = _call(len(made), float(int(at)), number, chance.random() < answering, talk, chance)
        made.append(PastCall(call))
        if chance.random() < marking:
            made.extend(_marks(call, chance))
    return sorted(made[:events], key=lambda event: event.at if isinstance(event, Mark) else event.outcome.at)


def _call(serial: int, at: float, number: str, answered: bool, talk: float, chance: random.Random) -> OutcomeRecord:
    who, group = chance.choice(PEOPLE)
    out = chance.random() < 0.15
    action = None if out else _one_of(ACTIONS, chance)
    challenge = chance.choice(list(ChallengeResult)) if action == "challenge" else None
    answered = answered and challenge in (None, ChallengeResult.PASSED)
    return OutcomeRecord(
        linkedid=f"c{serial}",
        at=at,
        direction=Direction.OUTBOUND if out else Direction.INBOUND,
        disposition=Disposition.ANSWERED if answered else Disposition.NO_ANSWER,
        caller=who if out else number,
        dialled=number if out else None,
        did=None if out else chance.choice(DIDS),
        answered_by=who if answered and not out else None,
        group=group,
        rung=(who,) if chance.random() < 0.7 else (who, chance.choice(PEOPLE)[0]),
        ring_seconds=float(chance.choice((0, 3, 5, 20, 40))),
        talk_seconds=float(int(chance.expovariate(1 / talk))) if answered else 0.0,
        ended_by=chance.choice((EndedBy.CALLER, EndedBy.CALLEE)),
        voicemail_left=not answered and chance.random() < 0.1,
        challenge=challenge,
        source="cdr",
        auth_class=chance.choice(list(AuthClass)) if not out else AuthClass.UNKNOWN,
        action=action,
        rang_by=None if out else _one_of(TIES, chance),
    )


def _marks(call: OutcomeRecord, chance: random.Random) -> Iterable[Mark]:
    """Yield marks about a call within the next minutes. Some people change their mark in the same second."""
    number = call.number or ""
    at = call.ended_at + chance.choice((0.0, 60.0, 120.0))
    for reporter, group in chance.sample(PEOPLE, chance.choice((1, 1, 2))):
        for _ in range(chance.choice((1, 1, 2))):
            verdict = _one_of(VERDICTS, chance)
            channel = chance.choice(list(MarkChannel))
            yield Mark(number, call.auth_class, reporter, verdict, at, channel, group, linkedid=call.linkedid)


def _one_of(shares: Sequence[tuple[T, float]], chance: random.Random) -> T:
    return chance.choices([what for what, _ in shares], [share for _, share in shares])[0]


def _replayed(events: Iterable[Event]) -> tuple[str, Checksums]:
    """Replay the events. Return a checksum of the decisions, and checksums of the evidence after the last event."""
    replay, encode = Replay([load_policy("strict")], NOBODYS), msgspec.json.Encoder().encode
    decisions = hashlib.sha256()
    for event in events:
        if not replay.problem(event) and (judged := replay.take(event)) is not None:
            decisions.update(encode(line_of(judged)))
    return decisions.hexdigest()[:16], _of_memory(replay.ledger)


def _shuffled(items: Sequence[OutcomeRecord | Mark]) -> list[OutcomeRecord | Mark]:
    """Return all items in random order, and some of them twice."""
    chance = random.Random(SEED + 1)
    mixed = [*items, *chance.sample(items, int(REPEATED * len(items)))]
    chance.shuffle(mixed)
    return mixed


def _learnt(items: Iterable[OutcomeRecord | Mark]) -> Checksums:
    """Learn from the items in memory, with some reads in between. Return the checksums at the end."""
    ledger, chance = MemoryStore(), random.Random(SEED)
    for item in items:
        ledger.learn(item) if isinstance(item, OutcomeRecord) else ledger.add_mark(item)
        if item.number and chance.random() < READ_BETWEEN:
            ledger.standing(item.number, item.auth_class)
    return _of_memory(ledger)


def _of_memory(ledger: MemoryStore) -> Checksums:
    return _checksums(sorted(ledger.numbers()), ledger.rows, ledger.standing)


def _stored(items: Sequence[OutcomeRecord | Mark], path: Path) -> Checksums:
    """Learn from the items in a store. Return the checksums at the end."""
    with open_store(path) as db:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            with transaction(db):
                record_outcomes(db, [item for item in batch if isinstance(item, OutcomeRecord)], END)
                for mark in [item for item in batch if isinstance(item, Mark)]:
                    add_mark(db, mark)
        numbers = [number for number in {item.number for item in items} if number]
        return _checksums(numbers, partial(rows_of, db), partial(standing, db))


def _checksums(
    numbers: Iterable[str], rows: Callable[[str], Rows], standing_of: Callable[[str, AuthClass], Standing | None]
) -> Checksums:
    evidence, sums = hashlib.sha256(), hashlib.sha256()
    for number in sorted(numbers):
        known = rows(number)
        if not any(known):
            continue
        for kind in known:
            evidence.update(repr(sorted(map(repr, kind))).encode())
        for auth_class in AuthClass:
            sums.update(repr((number, auth_class.value, _at_the_end(standing_of(number, auth_class)))).encode())
    return Checksums(evidence.hexdigest()[:16], sums.hexdigest()[:16])


def _at_the_end(standing: Standing | None) -> Standing | None:
    """Return the standing with its sums as they are at the end of the history, rounded to six decimal places."""
    if standing is None:
        return None
    counts = DEFAULT.counts
    days = {
        "marks": counts.marks_half_life_days,
        "answers": counts.marks_half_life_days,
        **dict.fromkeys(("hung_up", "missed", "messages", "talks", "wanted"), counts.half_life_days),
        "one_ring": counts.one_ring_half_life_hours / 24,
    }
    sums = {
        name: round(decayed(getattr(standing, name), standing.at, END, half_life * DAY_SECONDS), 6) + 0.0
        for name, half_life in days.items()
    }
    return standing._replace(**sums)  # type: ignore[arg-type]


def _timed(make: Callable[[], T]) -> tuple[T, float]:
    began = time.monotonic()
    return make(), time.monotonic() - began


def _same(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"{what} gives another result: {actual} instead of {expected}")
