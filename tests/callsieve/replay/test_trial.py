"""A draft over the calls that the store keeps: as a replay of the same calls, and with nothing changed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callsieve.replay.history_file import PastCall
from callsieve.replay.store_history import events_of_store
from callsieve.replay.trial import TrialRequest, trial_report
from callsieve.settings import load_settings
from lab.programs import TRIAL
from policies.loader import policy_text
from policies.policy import PolicyError
from policies.reasons import PresetReason, Reason, Why, capped
from reputation.model import Attestation, AuthClass, Family, Mark, Reputation, Verdict, Verification
from reputation.scoring import vector_of
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.transaction import transaction
from tests.builders import CALLER, DAY, HOUR
from tests.callsieve.program import Program, make_record
from tests.callsieve.replay.test_replay_engine import answered, inbound, lines, mark_line, outbound
from tests.office import ROOT
from tests.reputation.store_builders import make_mark, make_outcome

NOW = time.time() - HOUR  # outcomes are kept for 30 days
HISTORY = (
    *(mark_line("spam", NOW - 20 * DAY + n, who, group=f"group{n}") for n, who in enumerate(("201", "202", "301"))),
    *(answered(f"old{n}", NOW - 10 * DAY + n, f"40{n}") for n in range(5)),
    *(inbound(f"anonymous{n}", NOW - 3 * DAY + n, caller="anonymous") for n in range(4)),
    *(inbound(f"new{n}", NOW - 2 * DAY + n * HOUR) for n in range(6)),
    outbound("o0", NOW - DAY, "202"),
)
DRAFT = """
extends = "strict"
[[rule]]
name = "anon"
when = { caller_kind = "withheld" }
action = "challenge"
reason = "x"
[[rule]]
name = "pushed"
when = { level_at_least = "challenge" }
action = "reject"
reason = "x"
"""


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    program.ok("import", "calls", program.file("history.jsonl", lines(*HISTORY)))
    return program


def asked(callsieve: Program, draft: str = DRAFT, days: int = 30, now: float = NOW) -> TrialRequest:
    return TrialRequest(str(callsieve.config), str(callsieve.state), draft, days, now)


def report_of(callsieve: Program, question: TrialRequest) -> dict[str, Any]:
    """As the console asks for it, but in this process."""
    loaded = load_settings(callsieve.config, {"CALLSIEVE_STATE": str(callsieve.state)})
    with open_store(callsieve.store) as db:
        return trial_report(db, loaded, question, lambda _: None)


def by_process(callsieve: Program, question: TrialRequest) -> list[dict[str, Any]]:
    """What the process of its own says."""
    done = subprocess.run(
        (sys.executable, "-m", TRIAL),
        input=msgspec.json.encode(question),
        capture_output=True,
        check=True,
        timeout=60,
        env=callsieve.environment,
        cwd=ROOT,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_trial_decides_like_a_replay_of_the_same_calls(callsieve: Program) -> None:
    (callsieve.folder / "policies").mkdir()
    draft = callsieve.file("policies/draft.toml", DRAFT)
    history = callsieve.folder / "history.jsonl"
    expected = callsieve("replay", history, "--policy", draft, "--against", "cautious", "--json").json
    found = json.loads(msgspec.json.encode(report_of(callsieve, asked(callsieve))))
    for key in ("calls", "actions", "against_actions", "changes", "stopped", "probable_mistakes", "outbound"):
        assert found[key] == expected[key], key
    assert found["changes"]["total"] > 0
    assert found["policy"] == "draft"
    assert found["against"] == "cautious"


def test_challenging_a_wanted_caller_is_a_probable_mistake(callsieve: Program) -> None:
    """Somebody here called a number back after its calls, and the draft would ask it to press a digit."""
    back = outbound("b0", NOW - HOUR, "201")
    callsieve.ok("import", "calls", callsieve.file("more.jsonl", lines(*HISTORY, back)))
    found = report_of(callsieve, asked(callsieve, DRAFT.replace("withheld", "number")))
    wrong = [change for change, flag in zip(found["changes"]["first"], found["looks_wrong"], strict=True) if flag]
    assert {change["number"] for change in wrong} == {CALLER}, found["probable_mistakes"]
    assert all(change["to"] in ("warn", "challenge", "route", "reject") for change in wrong)


def test_trial_counts_only_the_given_days(callsieve: Program) -> None:
    found = report_of(callsieve, asked(callsieve, days=7))
    assert found["calls"] == 10
    assert found["actions"]["challenge"] >= 4
    assert found["actions"]["warn"] > 0, found["actions"]  # by marks that are older than the days


def test_trial_process_reports_progress_and_changes_nothing(callsieve: Program) -> None:
    before = dump(callsieve.store)
    said = by_process(callsieve, asked(callsieve))
    assert set(said[-1]) == {"report"}
    assert all(0 <= item["share"] <= 1 for item in said[:-1])
    assert dump(callsieve.store) == before


@pytest.mark.parametrize(
    ("draft", "days", "problem"),
    [
        pytest.param("extends = 7", 30, "`extends` must be a string", id="no-policy"),
        pytest.param(DRAFT, 1, "no inbound call", id="no-calls"),
        pytest.param('extends = "../../etc/passwd"', 7, "is not a valid policy name", id="path"),
    ],
)
def test_impossible_trial_reports_one_line(callsieve: Program, draft: str, days: int, problem: str) -> None:
    *progress, said = by_process(callsieve, asked(callsieve, draft, days, NOW + 5 * DAY if days == 1 else NOW))
    assert all(item.keys() == {"share"} for item in progress)
    assert problem in said["problem"]
    assert "\n" not in said["problem"]


def test_draft_equal_to_the_policy_in_force_changes_no_call(callsieve: Program) -> None:
    assert report_of(callsieve, asked(callsieve, policy_text("cautious")))["changes"]["total"] == 0


def test_a_broken_draft_is_an_error_before_any_call(callsieve: Program) -> None:
    with pytest.raises(PolicyError, match="rule 'anon'"):
        report_of(callsieve, asked(callsieve, DRAFT.replace("challenge", "challange")))


def network_families(attestation: Attestation, verification: Verification) -> tuple[Family, ...]:
    word = "failed" if verification is Verification.FAILED else attestation.value
    return (Family("attestation", 0.5, ((word, 1),)),)


SIGNED = [
    (AuthClass.AUTHENTICATED, Attestation.A, Verification.PASSED),
    (AuthClass.UNAUTHENTICATED, Attestation.B, Verification.NONE),
    (AuthClass.UNAUTHENTICATED, Attestation.C, Verification.NONE),
    (AuthClass.UNAUTHENTICATED, Attestation.NONE, Verification.FAILED),
]


@pytest.mark.parametrize(("auth_class", "attestation", "verification"), SIGNED)
def test_signature_is_recovered_from_the_decision(
    tmp_path: Path, auth_class: AuthClass, attestation: Attestation, verification: Verification
) -> None:
    vector = vector_of(Reputation(0.5, families=network_families(attestation, verification)))
    record = make_record(linkedid="c1", at=NOW, auth_class=auth_class, caller=CALLER, vector=vector)
    call = only_event(tmp_path, record)
    assert (call.attestation, call.verification, call.trusted) == (attestation, verification, False)


@pytest.mark.parametrize(
    ("auth_class", "vector", "expected"),
    [
        (AuthClass.AUTHENTICATED, "{}", (Attestation.NONE, True)),
        (AuthClass.UNAUTHENTICATED, "{}", (Attestation.B, False)),
        (AuthClass.UNAUTHENTICATED, "damaged", (Attestation.B, False)),
        (AuthClass.UNKNOWN, "{}", (Attestation.NONE, False)),
    ],
)
def test_auth_class_is_kept_if_the_evidence_lacks_it(
    tmp_path: Path, auth_class: AuthClass, vector: str, expected: tuple[Attestation, bool]
) -> None:
    record = make_record(linkedid="c1", at=NOW, auth_class=auth_class, caller=CALLER, vector=vector)
    call = only_event(tmp_path, record)
    assert (call.attestation, call.trusted) == expected
    assert call.outcome.auth_class is auth_class


def only_event(folder: Path, record: Any) -> PastCall:
    with open_store(folder / "store.db") as db:
        with transaction(db):
            record_decisions(db, [record])
            record_outcome(db, make_outcome("c1", NOW), NOW + 60)
        (event,) = events_of_store(db, NOW + 60)
    assert isinstance(event, PastCall)
    return event


def test_marks_and_calls_come_in_time_order(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as db:
        with transaction(db):
            for n in range(5):
                record_outcome(db, make_outcome(f"c{n}", NOW + 10 * n), NOW + 600)
            add_mark(db, make_mark(reporter="201", at=NOW + 15))
            add_mark(db, make_mark(reporter="202", verdict=Verdict.RETRACTED, at=NOW + 25))
        events = list(events_of_store(db, NOW + 35))
    assert [e.at if isinstance(e, Mark) else e.outcome.at for e in events] == [NOW + n for n in (0, 10, 15, 20, 30)]


SAMPLED = capped(Why(PresetReason.SOME_EVIDENCE), Why(Reason.CONTROL_SAMPLE)).kept


def test_journal_marks_calls_of_the_control_sample(tmp_path: Path) -> None:
    reasons = {
        "sampled": SAMPLED,
        "appealed": '{"code": "default", "cap": "appealed"}',
        "text": "control-sample",
        "x": "{",
    }
    with open_store(tmp_path / "store.db") as db:
        with transaction(db):
            for name, reason in reasons.items():
                record_decisions(db, [make_record(id=name, linkedid=name, at=NOW, caller=CALLER, reason=reason)])
                record_outcome(db, make_outcome(name, NOW), NOW + 60)
        events = events_of_store(db, NOW + 60)
        assert {e.outcome.linkedid: e.sampled for e in events if isinstance(e, PastCall)} == {
            name: name == "sampled" for name in reasons
        }


def test_trial_reports_the_effect_of_warnings(callsieve: Program) -> None:
    """Of the calls of the store: what the draft would have done with them says nothing of that."""
    with open_store(callsieve.store) as db, transaction(db):
        for n in range(50):
            about = {"action": "warn"} if n % 2 else {"action": "allow", "would_be": "allow", "reason": SAMPLED}
            name, at, caller = f"live{n}", NOW - DAY + n, f"+120174210{n:02}"
            record_decisions(db, [make_record(id=name, linkedid=name, at=at, caller=caller, **about)])
            who = None if n % 2 else "201"
            record_outcome(db, make_outcome(name, at, caller=caller, by=who, talk=20.0), NOW)
    found = report_of(callsieve, asked(callsieve))["control_sample"]
    assert (found["enough"], found["calls"]) == (True, {"labelled": 25, "unlabelled": 25})
    assert found["seen"][0]["what"] == "answered"
    assert found["seen"][0]["difference"]["value"] == -1.0
    assert len(found["seen"]) == 4


def dump(store: Path) -> list[str]:
    with closing(sqlite3.connect(store)) as db:
        return list(db.iterdump())
