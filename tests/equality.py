"""A made-up office, and digests of what CallSieve decides and reports there: to compare two versions of the code.

    python -m tests.equality --events 60000 --seed 7 --out DIR    prints the digests; DIR gets what they are of
    python -m tests.equality --renew                              writes tests/equality.json, which the test compares

Calls of strangers, spammers, services and contacts, in and out, with marks, lists, feeds, look-ups, other companies,
identities, challenges, appeals and changes of owner in between. All chance comes from the seed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.programs import COMMAND_LINE
from policies.decision import Action, Decision, IncomingCall
from policies.engine import decide
from policies.loader import load_policy
from policies.reasons import capped
from policies.situation import Lately, ScreeningHours, query_of, situation_of
from reputation.appeals import Appeal, AppealError, AppealStep
from reputation.first_calls import FirstCalls
from reputation.model import (
    Attestation,
    AuthClass,
    CallerKind,
    ChallengeResult,
    DecisionRecord,
    Did,
    Direction,
    Disposition,
    EndedBy,
    EntryKind,
    Identity,
    ListEntry,
    ListName,
    Mark,
    MarkChannel,
    Person,
    Verdict,
    Verification,
)
from reputation.numbers import Number
from reputation.outcome import OutcomeRecord
from reputation.scoring import vector_of
from reputation.store.appeals import AppealRuling, open_appeal, take_step
from reputation.store.appeals import decide as rule_on
from reputation.store.database import open_store
from reputation.store.evidence import record_challenge
from reputation.store.facts import facts_of
from reputation.store.identities import raise_epoch, set_identity
from reputation.store.imports import Feed, import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, expect_call, set_personal_entry
from reputation.store.lookups import StoredAnswer, record_answer, replace_sources
from reputation.store.marks import Correction, add_mark, block_for, correct, reporters_of, review
from reputation.store.outcomes import record_outcome, settle_outcomes
from reputation.store.peers import PeerNumber, TakenIndex, WantedPeer, record_taken, replace_numbers, replace_peers
from reputation.store.people import replace_settings_dids, replace_settings_own_numbers, replace_settings_people
from reputation.store.site import record_emergency
from reputation.store.transaction import transaction
from reputation.velocity import Velocity

SEED, EVENTS = 20_261_130, 10_000
RECORDED = Path(__file__).with_suffix(".json")
START = 1_767_000_000.0
DAY = 86_400.0
GAP = 40.0  # seconds between two events, on average
DIDS = [f"+44207183875{n}" for n in range(8)]
PEOPLE = [Person(str(201 + n), f"PJSIP/{201 + n}", ("sales", "support", "office")[n % 3]) for n in range(30)]
FEEDS = ("fraud-list", "press")
# Digests are made of these, without columns that are empty, so that a new column changes nothing.
TABLES = (
    "answered", "appeal", "challenge", "challenge_result", "contact", "decision", "epoch", "identity",
    "imported", "inbound_talk", "list_entry", "mark", "one_ring", "outcome", "own_called", "own_day",
    "personal_entry", "reached", "review", "settled", "signal", "standing", "talk", "tombstone",
)  # fmt: skip
UNTOLD = frozenset({"elapsed_ms", "may_be_bad"})

# By nature: share of calls, count of numbers (0: a new one each time), shares answered, marked, taken by a machine.
NATURES = {
    "contact": (0.25, 150, 0.8, 0.002, 0.0),
    "service": (0.20, 40, 0.6, 0.01, 0.2),
    "stranger": (0.15, 0, 0.5, 0.01, 0.0),
    "spammer": (0.25, 60, 0.3, 0.12, 0.6),
    "single": (0.08, 0, 0.3, 0.15, 0.6),
    "wangiri": (0.05, 25, 0.02, 0.05, 0.9),
    "withheld": (0.02, 1, 0.5, 0.0, 0.0),
}
# Other events, with their frequency.
DEEDS = {
    "call_out": 120,
    "mark": 60,
    "say_ok": 15,
    "list_number": 5,
    "put_on_own_list": 12,
    "add_contact": 10,
    "expect": 6,
    "identify": 5,
    "import_feed": 1,
    "look_up": 15,
    "hear_of_peer": 2,
    "file_appeal": 8,
    "step_appeal": 14,
    "change_owner": 2,
    "review_number": 4,
    "find_wrong": 2,
    "emergency": 0.5,
}


class MadeUpOffice:
    """Makes one event after the other and has the store learn it. `decided`: a line for each decision."""

    def __init__(self, db: Any, seed: int) -> None:
        self.db, self.chance, self.at = db, random.Random(seed), START
        self.policy = load_policy("strict")
        self.velocity, self.first_calls = Velocity(), FirstCalls()
        self.calls = self.fresh = 0
        self.decided: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.callers: list[str] = []
        self.appeals: list[str] = []
        with transaction(db):
            db.execute("UPDATE site SET salt = ?", (b"the same for everybody",))
            replace_settings_people(db, PEOPLE)
            dids = [Did(did, ("sales",) if n % 2 else (), screen=n != 7) for n, did in enumerate(DIDS)]
            dids[1] = Did(DIDS[1], (), PEOPLE[0].extension)
            replace_settings_dids(db, dids)
            replace_settings_own_numbers(db, [DIDS[0]])
            replace_sources(db, {"asked": True})
            replace_peers(db, {"partner": WantedPeer("key", 1.0, DAY)})
            record_taken(db, "partner", TakenIndex("key", "x", 1, "d", START, START + 90 * DAY), START, START)

    def go_on(self, events: int) -> None:
        """Make so many events happen."""
        deeds, shares = [*DEEDS], [*DEEDS.values()]
        for _ in range(events):
            self.at = round(self.at + self.chance.expovariate(1 / GAP), 3)
            if self.chance.random() < 0.8:
                self.call_in()
            else:
                getattr(self, self.chance.choices(deeds, shares)[0])()
            if self.chance.random() < 0.05:
                self.write(settle_outcomes, self.at)
        self.at += 120
        self.write(settle_outcomes, self.at)

    def write(self, function: Callable[..., Any], *values: Any) -> Any:
        with transaction(self.db):
            return function(self.db, *values)

    def number_of(self, nature: str) -> str | None:
        place, many = [*NATURES].index(nature), NATURES[nature][1]
        if nature == "withheld":
            return None
        self.fresh += not many
        number = place * 10_000 + self.chance.randrange(many) if many else 100_000 + self.fresh
        return f"+1201{5_000_000 + number}"

    def some_number(self) -> str:
        return self.chance.choice(self.callers[-400:] or ["+12015550123"])

    def call_in(self) -> None:
        nature = self.chance.choices([*NATURES], [kind[0] for kind in NATURES.values()])[0]
        _, _, answering, marking, machine = NATURES[nature]
        number, did, chance = self.number_of(nature), self.chance.choice(DIDS), self.chance
        kind = CallerKind.NUMBER if number else CallerKind.WITHHELD
        attestation = chance.choice(list(Attestation)) if chance.random() < 0.6 else Attestation.NONE
        verification = chance.choice(list(Verification)) if attestation is not Attestation.NONE else Verification.NONE
        self.calls += 1
        raw = number or "anonymous"
        call = IncomingCall(
            f"c{self.calls}", Number(number, raw, kind), did, "carrier", False, attestation, verification
        )
        facts, decision = self.decide(call)
        self.tell_of(call, facts, decision)
        ended = self.ended(call, decision, facts, chance.random() < answering, chance.random() < machine)
        self.write(record_outcome, ended, ended.ended_at)
        self.note(ended, attestation, verification)
        if number:
            self.callers.append(number)
            if ended.answered_by and chance.random() < marking:
                self.mark_as(number, ended.answered_by, call.auth_class, Verdict.SPAM, call.linkedid)

    def decide(self, call: IncomingCall) -> tuple[Any, Decision]:
        number, now, hours = call.caller.key, self.at, ScreeningHours()
        before = None if number is None else self.first_calls.before(call.caller, call.did, now)
        facts = facts_of(self.db, query_of(call, now, hours.quiet, first_call=before))
        if facts.first_call is not None:
            self.first_calls.add(call.caller, call.did, now)
        lately = Lately()
        if number is not None:
            calls, dids, block_calls = self.velocity.count(call.caller, now, call.did)
            lately = Lately(calls, block_calls, dids=dids)
        situation = situation_of(call, facts, now, hours, lately)
        return situation.facts, decide(*situation.under(self.policy))

    def tell_of(self, call: IncomingCall, facts: Any, decision: Decision) -> None:
        record = DecisionRecord(
            id=f"d{self.calls}",
            at=self.at,
            linkedid=call.linkedid,
            caller=call.caller.key,
            caller_kind=call.caller.kind,
            auth_class=call.auth_class,
            did=call.did,
            trunk=call.trunk,
            callee=facts.callee.extension if facts.callee else None,
            action=decision.action.word,
            would_be=decision.would_be.word,
            rule=decision.rule,
            reason=capped(decision.reason, decision.capped_by).kept,
            level=decision.level.word,
            log_odds=round(decision.reputation.log_odds, 6),
            vector=vector_of(decision.reputation),
            policy=decision.policy,
            elapsed_ms=0.0,
            first_call=facts.first_call is not None,
        )
        self.write(record_decisions, [record])
        about = (record.linkedid, record.action, record.rule, record.level, f"{record.log_odds:.6f}", record.reason)
        self.decided.append(" | ".join((*about, record.vector)))

    def ended(
        self, call: IncomingCall, decision: Decision, facts: Any, is_answered: bool, is_machine: bool
    ) -> OutcomeRecord:
        """Return how the call ended: by what was done with it, and by what caller and callee are like."""
        chance, person = self.chance, self.chance.choice(PEOPLE)
        ring, talk = round(chance.lognormvariate(2.2, 0.9), 2), round(chance.expovariate(1 / 40), 2)
        ends, voicemail = chance.choice(list(EndedBy)), chance.random() < 0.2
        result = chance.choice([result for result in ChallengeResult if result is not ChallengeResult.ROBOT])
        about: dict[str, Any] = {"linkedid": call.linkedid, "at": self.at, "direction": Direction.INBOUND}
        about |= {"caller": call.caller.key, "caller_kind": call.caller.kind, "did": call.did, "trunk": call.trunk}
        if decision.action is Action.REJECT:
            return OutcomeRecord(**about, disposition=Disposition.REJECTED, cause=21, ended_by=EndedBy.SYSTEM)
        if decision.action in (Action.CHALLENGE, Action.ROUTE):
            result = ChallengeResult.SILENT if is_machine else result
            if result is not ChallengeResult.PASSED:
                if result not in (ChallengeResult.ABANDONED, ChallengeResult.MESSAGE):
                    told = (call.linkedid, call.caller.key, call.auth_class, result, self.at + 8)
                    self.write(record_challenge, *told)
                return OutcomeRecord(**about, disposition=Disposition.NO_ANSWER, ended_by=EndedBy.CALLER)
            self.write(record_challenge, call.linkedid, call.caller.key, call.auth_class, result, self.at + 8)
        rung = (facts.callee.extension if facts.callee else person.extension,)
        about |= {"rung": rung, "ring_seconds": ring, "ended_by": ends, "forked": 1}
        if not is_answered:
            return OutcomeRecord(**about, disposition=Disposition.NO_ANSWER, voicemail_left=voicemail)
        return OutcomeRecord(
            **about, disposition=Disposition.ANSWERED, answered_by=rung[0], group=person.group, talk_seconds=talk
        )

    def call_out(self) -> None:
        self.calls += 1
        person, is_answered = self.chance.choice(PEOPLE), self.chance.random() < 0.6
        ended = OutcomeRecord(
            linkedid=f"c{self.calls}",
            at=self.at,
            direction=Direction.OUTBOUND,
            disposition=Disposition.ANSWERED if is_answered else Disposition.NO_ANSWER,
            caller=person.extension,
            own_number=DIDS[0],
            dialled=self.some_number(),
            ring_seconds=8.0,
            talk_seconds=round(self.chance.expovariate(1 / 50), 2) if is_answered else 0.0,
            ended_by=EndedBy.CALLER,
        )
        self.write(record_outcome, ended, ended.ended_at)
        self.note(ended, Attestation.NONE, Verification.NONE)

    def note(self, ended: OutcomeRecord, attestation: Attestation, verification: Verification) -> None:
        """Note the call for a replay."""
        told: dict[str, Any] = {"at": ended.at, "call": ended.linkedid, "type": ended.direction.value}
        told["answered"] = ended.disposition is Disposition.ANSWERED
        told |= {"ring_seconds": ended.ring_seconds, "talk_seconds": ended.talk_seconds, "ended_by": ended.ended_by}
        if ended.direction is Direction.OUTBOUND:
            told |= {"caller": ended.caller, "own_number": ended.own_number, "callee": ended.dialled}
        else:
            told |= {"caller": ended.caller, "callee": ended.answered_by, "callee_group": ended.group}
            told |= {"did": ended.did, "trunk": ended.trunk, "voicemail": ended.voicemail_left}
            told["attestation"] = attestation.value if attestation is not Attestation.NONE else None
            told["verification"] = verification.value if verification is not Verification.NONE else None
        self.history.append({key: value for key, value in told.items() if value is not None})

    def mark_as(
        self, number: str, reporter: str, auth_class: AuthClass, verdict: Verdict, linkedid: str | None = None
    ) -> None:
        group = next(person.group for person in PEOPLE if person.extension == reporter)
        channel, category = self.chance.choice(list(MarkChannel)), self.chance.choice((None, "scam", "telemarketing"))
        mark = Mark(
            number, auth_class, reporter, verdict, self.at + 60, channel, group, category, "a word of it", linkedid
        )
        self.write(add_mark, mark)
        if verdict is Verdict.SPAM:
            self.write(block_for, reporter, number, self.at + 60)
        if verdict is not Verdict.RETRACTED:
            about = {"number": number, "reporter": reporter, "group": group, "verdict": verdict.value}
            self.history.append({"at": self.at, "type": "mark", **about, "category": category or "other"})

    def mark(self) -> None:
        reporter = self.chance.choice(PEOPLE).extension
        self.mark_as(self.some_number(), reporter, self.chance.choice(list(AuthClass)), Verdict.SPAM)

    def say_ok(self) -> None:
        verdict = self.chance.choice((Verdict.OK, Verdict.RETRACTED))
        reporter = self.chance.choice(PEOPLE).extension
        self.mark_as(self.some_number(), reporter, self.chance.choice(list(AuthClass)), verdict)

    def list_number(self) -> None:
        number, name = self.some_number(), self.chance.choice(list(ListName))
        kind = self.chance.choice((EntryKind.EXACT, EntryKind.EXACT, EntryKind.PREFIX, EntryKind.RANGE))
        first, last = number, None
        if kind is EntryKind.PREFIX:
            first = number[:-1]
        elif kind is EntryKind.RANGE:
            first, last = f"{number[:-1]}0", f"{number[:-1]}9"
        action = self.chance.choice((None, "warn", "challenge")) if name is ListName.BLOCK else None
        until = self.chance.choice((None, self.at + DAY))
        self.write(add_entry, ListEntry(name, kind, first, last, action, "a note", until, self.at))

    def put_on_own_list(self) -> None:
        person, verdict = self.chance.choice(PEOPLE).extension, self.chance.choice(list(ListName))
        self.write(set_personal_entry, PersonalEntry(person, self.some_number(), verdict, self.at))

    def add_contact(self) -> None:
        person = self.chance.choice((None, self.chance.choice(PEOPLE).extension))
        self.write(add_contacts, "book", [Contact(self.some_number(), "Somebody", person)])

    def expect(self) -> None:
        self.write(expect_call, self.chance.choice(PEOPLE).extension, self.at + 1800)

    def identify(self) -> None:
        number, level = self.some_number(), self.chance.choice((1, 2))
        self.write(set_identity, Identity(number, "Carol Ltd", level, self.at + 5 * DAY, "seen"), self.at)

    def import_feed(self) -> None:
        name, now = self.chance.choice(FEEDS), self.at
        numbers = sorted({self.some_number() for _ in range(60)})
        feed = Feed(format="plain") if name == FEEDS[0] else Feed()
        verdict = "spam" if name == FEEDS[0] else self.chance.choice(("spam", "ok"))
        import_numbers(self.db, name, verdict, [(n, "scam", None, None) for n in numbers], lambda: now, feed=feed)

    def look_up(self) -> None:
        verdict = self.chance.choice(("spam", "ok", "nothing"))
        answer = StoredAnswer("asked", verdict, "scam" if verdict == "spam" else None, self.at, self.at + DAY)
        record_answer(self.db, self.some_number(), answer)

    def hear_of_peer(self) -> None:
        numbers, week = sorted({self.some_number() for _ in range(20)}), int(self.at // (7 * DAY))
        rows = [PeerNumber(n, "unknown", self.chance.randint(1, 3), 5, 5, week - 2, week, "scam") for n in numbers]
        replace_numbers(self.db, 1, rows, self.at)

    def file_appeal(self) -> None:
        reference = f"AP{len(self.appeals):06}"
        appeal = Appeal(
            reference=reference,
            number=self.some_number(),
            name="Carol",
            contact="carol@example.com",
            opened_at=self.at,
            statement="It was not us.",
        )
        try:
            self.write(open_appeal, appeal)
        except AppealError:
            return
        self.appeals.append(reference)

    def step_appeal(self) -> None:
        if not self.appeals:
            return
        reference, step = self.chance.choice(self.appeals[-20:]), self.chance.choice(list(AppealStep))
        try:
            if step in (AppealStep.UPHOLD, AppealStep.DENY):
                ruling = AppealRuling(step is AppealStep.UPHOLD, "looked at", self.chance.random() < 0.2)
                self.write(rule_on, reference, ruling, self.at)
            else:
                self.write(take_step, reference, step, self.at, "a reason")
        except AppealError:
            return

    def change_owner(self) -> None:
        self.write(raise_epoch, self.some_number(), self.at, "sold", "ada")

    def review_number(self) -> None:
        self.write(review, self.some_number(), self.at, "ada")

    def find_wrong(self) -> None:
        number = self.some_number()
        if reporters := reporters_of(self.db, number):
            self.write(correct, Correction(f"CO{self.calls}", number, tuple(reporters)), self.at)

    def emergency(self) -> None:
        self.write(record_emergency, self.at)


def rows_of(db: Any, table: str) -> list[str]:
    """Return the rows of a table as JSON lines, without what is empty or differs from run to run."""
    cursor = db.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return sorted(json.dumps(_row_as_text(dict(zip(names, row, strict=True))), sort_keys=True) for row in cursor)


def _row_as_text(row: dict[str, Any]) -> dict[str, Any]:
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}
    return {name: value for name, value in rounded.items() if value not in (None, "", 0, "[]") and name not in UNTOLD}


def reports_of(directory: Path, store: Path, history: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return what the commands say: a replay of the same calls under two policies, and the summary of the store."""
    config, file, out = directory / "callsieve.toml", directory / "history.jsonl", directory / "replay.jsonl"
    config.write_text(f'[store]\npath = "{store}"\n')
    file.write_text("".join(json.dumps(event) + "\n" for event in sorted(history, key=lambda event: event["at"])))
    replay = ("replay", file, "--policy", "balanced", "--against", "strict", "--out", out, "--json")
    report = json.loads(_output_of(config, *replay))
    del report["seconds"]
    since, until = (f"2025-12-29T{hour}:00" for hour in ("10", "20"))
    summary = json.loads(_output_of(config, "summary", "--since", since, "--until", until, "--json"))
    return {
        "replay decisions": out.read_text().splitlines(),
        "replay report": json.dumps(report, indent=1, sort_keys=True).splitlines(),
        "summary": json.dumps(summary, indent=1, sort_keys=True).splitlines(),
    }


def _output_of(config: Path, *words: object) -> str:
    command = [sys.executable, "-m", COMMAND_LINE, *map(str, words), "--config", str(config)]
    env = os.environ | {"TZ": "UTC"}
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=env).stdout


def played(directory: Path, events: int, seed: int) -> dict[str, list[str]]:
    """Return all that came of so many events, as lines by what they are of."""
    store = directory / "callsieve.db"
    with open_store(store) as db:
        db.execute("PRAGMA synchronous = OFF")
        office = MadeUpOffice(db, seed)
        office.go_on(events)
        lines = {"decisions": office.decided} | {table: rows_of(db, table) for table in TABLES}
    return lines | reports_of(directory, store, office.history)


def digests_of(lines: dict[str, list[str]]) -> dict[str, str]:
    """Return for each how many lines there are, and a digest of them."""
    return {
        name: f"{len(some)} {hashlib.sha256(chr(10).join(some).encode()).hexdigest()[:16]}"
        for name, some in lines.items()
    }


def rules_of(lines: dict[str, list[str]]) -> dict[str, int]:
    """Return how many decisions each rule and action made: what the events reach at all."""
    found = Counter(" by ".join(line.split(" | ")[1:3]) for line in lines["decisions"])
    return dict(sorted(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--renew", action="store_true")
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.events} events")
    with tempfile.TemporaryDirectory() as directory:
        lines = played(Path(directory), asked.events, asked.seed)
    for name, some in lines.items() if asked.out else ():
        asked.out.mkdir(exist_ok=True)
        (asked.out / name.replace(" ", "-")).write_text("\n".join(some) + "\n")
    found = {"seed": asked.seed, "events": asked.events, "digests": digests_of(lines), "rules": rules_of(lines)}
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if asked.renew:
        RECORDED.write_text(text)


if __name__ == "__main__":
    main()
