"""Measures each step of a decision separately, warmed up and in one thread, to find out where the time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from agi import answers
from agi.parsing import incoming_call_of
from agi.protocol import AgiSession, Request
from agi.site import Site, Trunk
from benchmarks.callers import callers, questions
from benchmarks.figures import Figure, alternate
from benchmarks.workbench import Workbench
from policies.decision import IncomingCall
from policies.engine import decide
from policies.loader import load_policy
from policies.relations import per_phone_of
from reputation.evidence import NO_CIRCUMSTANCES, Evidence
from reputation.facts import Facts
from reputation.model import AuthClass, CallerKind, DecisionRecord, Imported
from reputation.numbers import caller_of
from reputation.scoring import reputation_of
from reputation.store.database import open_store
from reputation.store.journal import BATCH, record_decisions
from reputation.store.transaction import transaction
from reputation.weights import DEFAULT

T = TypeVar("T")

KNOWN = 1_000_000
CALLS = 3000
ROUNDS = 7
JOURNAL_ROWS = 20_000

SITE = Site("US", (Trunk("carrier", "PJSIP/carrier-*", "US"),))
POLICY = load_policy("cautious")
LISTED = (Imported("big-list", "spam", "scam"),)
FACTS = (
    Facts(),
    Facts(imported=LISTED, reputation=reputation_of(Evidence(imported=LISTED), NO_CIRCUMSTANCES, DEFAULT, 0.0)),
)


def measure(bench: Workbench) -> list[Figure]:
    """Measure microseconds per run of each step, and rows per second of the journal."""
    bench.say("parts: measuring each step of a decision")
    calls = [incoming_call_of(request_of(block), SITE) for block in questions(CALLS, KNOWN)]
    measures: dict[str, Callable[[int], float]] = {
        "parse an AGI request": lambda turn: micros(request_of, questions(CALLS, KNOWN, turn)),
        "parse a caller's number in E.164 format": lambda turn: micros(_read, callers(CALLS, KNOWN, turn)),
        "parse a caller's number in national format": lambda turn: micros(
            _read, [n[2:] for n in callers(CALLS, KNOWN, turn)]
        ),
        "decide about a parsed call": lambda turn: micros(_decide, list(enumerate(calls))),
        "decide about a parsed call, and write the answer": lambda turn: micros(_answer, list(enumerate(calls))),
    }
    samples = alternate(bench.rounds(ROUNDS), *measures.values())
    return [
        *(Figure(what, values, "µs") for what, values in zip(measures, samples, strict=True)),
        Figure("decisions written to the journal", _journal_rates(bench), "/s", note=f"rows in batches of {BATCH}"),
    ]


def micros(function: Callable[[T], object], arguments: Sequence[T]) -> float:
    """Return how many microseconds a call of the function takes on average."""
    began = time.perf_counter()
    for argument in arguments:
        function(argument)
    return 1e6 * (time.perf_counter() - began) / len(arguments)


def request_of(block: bytes) -> Request:
    session = AgiSession()
    session.receive_data(block)
    request = session.next_event()
    assert isinstance(request, Request)
    return request


def _read(text: str) -> object:
    return caller_of(text, "US")


def _decide(numbered: tuple[int, IncomingCall]) -> object:
    number, call = numbered
    return decide(call, FACTS[number % 2], POLICY, 0.0)


def _answer(numbered: tuple[int, IncomingCall]) -> object:
    number, call = numbered
    facts = FACTS[number % 2]
    decision = decide(call, facts, POLICY, 0.0)
    return answers.answer_to_screen(call, decision, "ABCDEFGH", SITE, per_phone_of(call, facts, decision))


def _journal_rates(bench: Workbench) -> list[float]:
    numbers = callers(JOURNAL_ROWS, KNOWN)
    return [_journal_rate(bench.directory / f"journal-{turn}.db", numbers) for turn in range(bench.rounds(ROUNDS))]


def _journal_rate(path: Path, numbers: list[str]) -> float:
    """Return how many decisions per second are committed to disk in batches."""
    records = [RECORD._replace(id=f"{n:08}", at=float(n), linkedid=str(n), caller=c) for n, c in enumerate(numbers)]
    with open_store(path) as db:
        began = time.perf_counter()
        for start in range(0, len(records), BATCH):
            with transaction(db):
                record_decisions(db, records[start : start + BATCH])
        return len(records) / (time.perf_counter() - began)


RECORD = DecisionRecord(
    id="",
    at=0.0,
    linkedid="",
    caller=None,
    caller_kind=CallerKind.NUMBER,
    auth_class=AuthClass.UNKNOWN,
    did="+442071838750",
    trunk="carrier",
    callee=None,
    action="tag",
    would_be="tag",
    rule="level-tag",
    reason="there is some evidence against this number",
    level="tag",
    log_odds=1.5,
    vector='[{"family": "feeds", "log_odds": 1.5, "counts": {"spam": 1, "ok": 0}}]',
    policy="cautious",
    elapsed_ms=0.5,
)
