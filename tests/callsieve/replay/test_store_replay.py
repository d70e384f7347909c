"""A replay of the store, of Asterisk's own CDRs, and of what `calls export` wrote: the same calls decided the same."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.site import Site
from callsieve.replay.call_files import in_time_order
from callsieve.replay.history_file import Event, HistoryReader, PastCall, events_of
from callsieve.replay.history_writer import line_of_event
from reputation.model import (
    Attestation,
    AuthClass,
    CallerKind,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    Family,
    Mark,
    MarkChannel,
    Reputation,
    Tie,
    Verdict,
    Verification,
    Voice,
    auth_class_of,
)
from reputation.outcome import OutcomeRecord
from reputation.scoring import vector_of
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcomes
from reputation.store.transaction import transaction
from tests.builders import DAY, HOUR
from tests.callsieve.program import Program, make_record
from tests.callsieve.replay.test_replay_engine import inbound, lines
from tests.reputation.store_builders import make_outcome

SITE = Site("US", ())
NOW = float(int(time.time())) - HOUR  # outcomes are kept for 30 days
EXTENSIONS = ("201", "202", "203", "PJSIP/204")
NUMBERS = tuple(f"+12017421{n:03}" for n in range(8))
SAID = [
    (Attestation.NONE, Verification.NONE, False),
    (Attestation.A, Verification.PASSED, False),
    (Attestation.B, Verification.NONE, False),
    (Attestation.C, Verification.NONE, True),
    (Attestation.NONE, Verification.FAILED, False),
]

CLASSES = [
    ("A", AuthClass.AUTHENTICATED),
    ("B", AuthClass.UNAUTHENTICATED),
    ("failed", AuthClass.UNAUTHENTICATED),
    ("", AuthClass.UNKNOWN),
]

seconds = st.floats(0, 3600).map(lambda value: round(value, 3))
people = st.sampled_from(EXTENSIONS)


@st.composite
def inbound_calls(draw: st.DrawFn) -> PastCall:
    caller = draw(st.sampled_from((None, *NUMBERS)))
    unknown = st.sampled_from((CallerKind.WITHHELD, CallerKind.INVALID, CallerKind.INTERNAL))
    disposition = draw(st.sampled_from(Disposition))
    attestation, verification, trusted = draw(st.sampled_from(SAID))
    outcome = OutcomeRecord(
        linkedid=draw(st.uuids()).hex,
        at=draw(st.floats(1.6e9, 1.9e9)),
        direction=Direction.INBOUND,
        disposition=disposition,
        caller=caller,
        caller_kind=CallerKind.NUMBER if caller else draw(unknown),
        did=draw(st.sampled_from((None, "+442071838750", "s"))),
        trunk=draw(st.sampled_from((None, "carrier"))),
        answered_by=draw(st.none() | people) if disposition is Disposition.ANSWERED else None,
        group=draw(st.sampled_from((None, "sales"))),
        queue=draw(st.sampled_from((None, "600"))),
        rung=tuple(draw(st.lists(people, max_size=3, unique=True))),
        ring_seconds=draw(seconds),
        talk_seconds=draw(seconds),
        ended_by=draw(st.none() | st.sampled_from(EndedBy)),
        answered_by_pbx=draw(st.booleans()),
        voicemail_left=draw(st.booleans()),
        transferred=draw(st.booleans()),
        challenge=draw(st.none() | st.sampled_from(ChallengeResult)),
        complete=draw(st.booleans()),
        source="history",
        auth_class=auth_class_of(attestation, verification, trusted),
        action=draw(st.sampled_from((None, "tag", "warn", "challenge", "route", "reject"))),
        rang_by=draw(st.none() | st.sampled_from(Tie)),
        voice=draw(st.none() | st.sampled_from(Voice)),
    )
    name = draw(st.sampled_from((None, "spam risk")))
    counts = name is not None and (trusted or draw(st.booleans()))
    return PastCall(outcome, attestation, verification, trusted, draw(st.none() | st.booleans()), name, counts)


@st.composite
def outbound_calls(draw: st.DrawFn) -> PastCall:
    return PastCall(
        OutcomeRecord(
            linkedid=draw(st.uuids()).hex,
            at=draw(st.floats(1.6e9, 1.9e9)),
            direction=Direction.OUTBOUND,
            disposition=draw(st.sampled_from((Disposition.ANSWERED, Disposition.NO_ANSWER))),
            caller=draw(st.none() | people),
            caller_kind=CallerKind.INTERNAL,
            dialled=draw(st.sampled_from((*NUMBERS, "112"))),
            own_number=draw(st.sampled_from((None, "+442071838750"))),
            group=draw(st.sampled_from((None, "sales"))),
            ring_seconds=draw(seconds),
            talk_seconds=draw(seconds),
            ended_by=draw(st.none() | st.sampled_from(EndedBy)),
            complete=draw(st.booleans()),
            source="history",
        )
    )


marks = st.builds(
    Mark,
    number=st.sampled_from(NUMBERS),
    auth_class=st.just(AuthClass.UNKNOWN),
    reporter=people,
    verdict=st.sampled_from((Verdict.SPAM, Verdict.OK)),
    at=st.floats(1.6e9, 1.9e9),
    channel=st.sampled_from(MarkChannel),
    group=st.sampled_from((None, "sales")),
    category=st.sampled_from((None, "scam")),
    linkedid=st.none() | st.uuids().map(lambda item: item.hex),
    epoch=st.integers(0, 3),
)


@given(st.one_of(inbound_calls(), outbound_calls(), marks))
def test_event_survives_export_and_import(event: Event) -> None:
    reading = HistoryReader()
    assert list(events_of(io.BytesIO(line_of_event(event)), reading, SITE)) == [event]
    assert reading.problems == []


def fill(store: Path, calls: int = 400, seed: int = 1) -> None:
    """A month of an office: signed and unsigned calls, challenges, labels, ring groups, marks by phone and page."""
    chance = random.Random(seed)
    with open_store(store) as db, transaction(db):
        for number in range(calls):
            at = NOW - 29 * DAY + 28 * DAY * number / calls
            add_call(db, chance, f"{at:.0f}.{number}", at)
            if chance.random() < 0.3:
                verdict = chance.choice((Verdict.SPAM, Verdict.SPAM, Verdict.OK))
                about = (chance.choice(NUMBERS), AuthClass.UNKNOWN, chance.choice(EXTENSIONS[:3]), verdict, at + 700)
                add_mark(db, Mark(*about, chance.choice(tuple(MarkChannel)), "sales", None, "", f"{at:.0f}.{number}"))


def add_call(db: sqlite3.Connection, chance: random.Random, call: str, at: float) -> None:
    who, caller, is_answered = chance.choice(EXTENSIONS), chance.choice((*NUMBERS, None)), chance.random() < 0.6
    if chance.random() < 0.2:
        talk, dialled = chance.choice((5.0, 80.0)), chance.choice(NUMBERS)
        out = make_outcome(call, at, direction=Direction.OUTBOUND, by=who, talk=talk, dialled=dialled)
        record_outcomes(db, [out], at + 600)
        return
    word, auth_class = chance.choice(CLASSES)
    action = chance.choice(("allow", "allow", "warn", "challenge"))
    kind = CallerKind.NUMBER if caller else CallerKind.WITHHELD
    families: tuple[Family, ...] = (Family("attestation", 0.5, ((word, 1),)),) if word else ()
    if chance.random() < 0.2:
        families += (Family("carrier label", 1.5, (("scam likely", 1),)),)
    about: dict[str, Any] = {"linkedid": call, "at": at, "caller": caller, "caller_kind": kind, "trunk": "carrier"}
    vector = vector_of(Reputation(0.5, families=families))
    record_decisions(db, [make_record(f"{call}d", **about, auth_class=auth_class, action=action, vector=vector)])
    outcome = OutcomeRecord(
        **about,
        direction=Direction.INBOUND,
        disposition=Disposition.ANSWERED if is_answered else chance.choice(tuple(Disposition)[1:]),
        did="+442071838750",
        answered_by=who if is_answered else None,
        rung=tuple(chance.sample(EXTENSIONS, chance.choice((1, 2)))),
        queue=chance.choice((None, "600")),
        ring_seconds=chance.choice((2.0, 20.0)),
        talk_seconds=chance.choice((3.0, 70.0)) if is_answered else 0.0,
        ended_by=chance.choice((EndedBy.CALLER, EndedBy.CALLEE)),
        challenge=chance.choice(tuple(ChallengeResult)[:3]) if action == "challenge" else None,
        voicemail_left=not is_answered and chance.random() < 0.2,
        transferred=chance.random() < 0.1,
    )
    record_outcomes(db, [outcome], at + 600)


PUSHED = (
    'extends = "balanced"\n[[rule]]\nname = "any"\nwhen = { level_at_least = "tag" }\naction = "reject"\nreason = "x"\n'
)


NAMED = (
    'default = "allow"\n[[rule]]\nname = "named"\nwhen = { name_matches = "scam*", carrier_warns = true }\n'
    'action = "tag"\nreason = "x"\n'
)


@pytest.fixture
def filled(callsieve: Program) -> Program:
    callsieve.ok("db", "migrate")
    fill(callsieve.store)
    (callsieve.folder / "policies").mkdir()
    callsieve.file("policies/pushed.toml", PUSHED)
    return callsieve


class TestOfTheStore:
    def test_exported_history_is_decided_like_the_store(self, filled: Program) -> None:
        of_store, of_file = filled.folder / "of-store.jsonl", filled.folder / "of-file.jsonl"
        history = filled.folder / "history.jsonl"
        for policy in ("strict", "pushed"):
            of_store.unlink(missing_ok=True)
            first = filled("replay", "--days", "30", "--policy", policy, "--out", of_store, "--json").json
            history.unlink(missing_ok=True)
            filled.ok("calls", "export", "--out", history)
            again = filled("replay", history, "--policy", policy, "--out", of_file, "--json").json
            assert again["lines"]["problems"] == []
            for key in (
                "calls",
                "outbound",
                "marks",
                "actions",
                "assumes",
                "stopped",
                "control_sample",
                "marks_refused",
            ):
                assert again[key] == first[key], key
            decided = [json.loads(line) for line in of_store.read_text().splitlines()]
            assert [json.loads(line) for line in of_file.read_text().splitlines()] == decided
            assert len({item["level"] for item in decided}) > 2

    def test_days_option_counts_last_days_but_learns_from_all(self, filled: Program) -> None:
        month = {item["call"]: item for item in self.decided(filled, 30)}
        week = self.decided(filled, 7)
        assert 0 < len(week) < len(month)
        assert all(item == month[item["call"]] for item in week)

    def test_carrier_label_is_recovered_from_the_journal(self, callsieve: Program) -> None:
        callsieve.ok("db", "migrate")
        vector = vector_of(Reputation(1.5, families=(Family("carrier label", 1.5, (("scam likely", 1),)),)))
        about: dict[str, Any] = {"linkedid": "1.1", "at": NOW, "caller": NUMBERS[0], "trunk": "carrier"}
        outcome = OutcomeRecord(**about, direction=Direction.INBOUND, disposition=Disposition.NO_ANSWER)
        with open_store(callsieve.store) as db, transaction(db):
            record_decisions(db, [make_record("1.1d", **about, action="tag", vector=vector)])
            record_outcomes(db, [outcome], NOW + 600)
        (callsieve.folder / "policies").mkdir()
        callsieve.file("policies/named.toml", NAMED)
        out = callsieve.folder / "decided.jsonl"
        callsieve.ok("replay", "--days", "30", "--policy", "named", "--out", out)
        (decided,) = [json.loads(line) for line in out.read_text().splitlines()]
        assert decided["rule"] == "named"

    def decided(self, program: Program, days: int) -> list[dict[str, Any]]:
        out = program.folder / f"{days}.jsonl"
        program.ok("replay", "--days", str(days), "--policy", "pushed", "--out", out)
        return [json.loads(line) for line in out.read_text().splitlines()]

    def test_wrong_uses_of_days_are_refused(self, callsieve: Program) -> None:
        assert "--days" in callsieve.fails("replay")
        assert "--days" in callsieve.fails("replay", callsieve.file("h.jsonl", lines(inbound("c"))), "--days", "3")
        assert "no store" in callsieve.fails("replay", "--days", "30")
        callsieve.ok("db", "migrate")
        assert "no inbound call can be replayed" in callsieve.fails("replay", "--days", "30")

    def test_report_names_its_span(self, filled: Program) -> None:
        assert "last 30 days" in filled.ok("replay", "--days", "30")


class TestExport:
    def test_export_to_standard_output_and_of_last_days(self, filled: Program) -> None:
        events = [json.loads(line) for line in filled.ok("calls", "export").splitlines()]
        assert {event["type"] for event in events} == {"inbound", "outbound", "mark"}
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)
        week = filled.ok("calls", "export", "--days", "7").splitlines()
        assert 0 < len(week) < len(events)

    def test_export_file_is_new_and_private(self, filled: Program) -> None:
        out = filled.folder / "out.jsonl"
        filled.ok("calls", "export", "--out", out)
        assert out.stat().st_mode & 0o777 == 0o600
        assert "another" in filled.fails("calls", "export", "--out", out)

    def test_imported_export_gives_the_same_evidence(self, filled: Program, tmp_path: Path) -> None:
        filled.ok("calls", "export", "--out", filled.folder / "out.jsonl")
        (tmp_path / "other").mkdir()
        other = Program(tmp_path / "other")
        out = other.ok("import", "calls", filled.folder / "out.jsonl")
        assert out.startswith("Learnt from 400 calls")


def master_csv(*calls: tuple[float, str, str, float, float]) -> str:
    """Lines as Asterisk writes them: when a call is over. Each: begin, caller, phone, duration, talk."""
    rows = []
    for number, (at, caller, phone, duration, talk) in enumerate(calls):
        begin = datetime.fromtimestamp(at, UTC)
        fields = ("", caller, "442071838750", "from-trunk", f'""A caller"" <{caller}>', f"PJSIP/carrier-{number:08}")
        more = (f"PJSIP/{phone}-{number:08}", "Dial", "", f"{begin:%Y-%m-%d %H:%M:%S}", "", "", f"{duration:.0f}")
        last = (f"{talk:.0f}", "ANSWERED" if talk else "NO ANSWER", "DOCUMENTATION", f"{at:.0f}.{number}", "")
        rows.append((at + duration, ",".join(f'"{field}"' for field in (*fields, *more, *last))))
    return "".join(f"{line}\n" for _, line in sorted(rows))


class TestOfCdrs:
    def test_master_csv_is_read_in_its_own_order(self, callsieve: Program) -> None:
        """Also a long call, whose line comes after those of calls that began later."""
        calls = [(NOW - DAY, "2017421000", "201", 7000.0, 6990.0)]
        calls += [(NOW - DAY + 600 * n, f"201742100{n}", "202", 20.0, 0.0) for n in range(1, 8)]
        file = callsieve.file("Master.csv", master_csv(*calls))
        found = callsieve("replay", file, "--policy", "strict", "--json").json
        assert (found["calls"], found["lines"]["read"], found["lines"]["skipped"]) == (8, 8, 0)
        assert any("CDR" in note for note in found["notes"])
        assert "Master.csv" in callsieve.ok("replay", file)

    def test_events_far_out_of_order_are_reported(self, callsieve: Program) -> None:
        events = [
            event
            for event in events_of(
                io.BytesIO(lines(*(inbound(f"c{n}", NOW - n) for n in range(9)))), HistoryReader(), SITE
            )
        ]
        assert [item.outcome.at for item in in_time_order(events, held=100) if isinstance(item, PastCall)] == [
            NOW - n for n in reversed(range(9))
        ]
        assert len(list(in_time_order(events, held=2))) == 9

    @pytest.mark.parametrize("content", ["a,b,c\n", "\x00\x01\n", ""])
    def test_unknown_file_format_prints_one_error_line(self, callsieve: Program, content: str) -> None:
        assert "x.csv" in callsieve.fails("replay", callsieve.file("x.csv", content))
