"""Cases as an operator writes them (tests/policies/cases/*.toml): a call, what is known of it, and what is expected.

    [[case]]
    name = "a spammer who called us a minute ago"
    policy = "cautious"                                     # or `text = '''...'''`: a policy of the case's own
    call = { caller = "+12017421834", attestation = "C" }   # every key has a default, see CALL
    facts = { level = "challenge", called_minutes_ago = [1] }
    expect = { action = "warn", rule = "level-challenge" }

What is expected is compared key by key; a key that is not there does not matter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from policies.decision import Decision, IncomingCall
from policies.engine import decide
from policies.loader import load_policy
from policies.words import nearest
from reputation.model import Attestation, Facts, Level, ListName, Person, Tie, Verification
from reputation.numbers import caller_of
from tests.builders import (
    CALLER,
    DAY,
    LONDON,
    MINUTE,
    NOW,
    make_call,
    make_did,
    make_entry,
    make_facts,
    make_identity,
    make_imported,
    make_policy,
    make_reputation,
    make_tie,
)

CASES = Path(__file__).parent / "cases"
CASE_KEYS = frozenset({"name", "policy", "text", "call", "facts", "expect"})


def person_of(table: Mapping[str, Any]) -> Person:
    return Person(table["extension"], f"PJSIP/{table['extension']}", table.get("group"))


# What `call` may say, with what it is when it does not; `at` is the moment of the call.
CALL: dict[str, Any] = {
    "caller": CALLER,
    "region": "US",
    "did": LONDON,
    "trunk": "carrier",
    "trusted": False,
    "attestation": "none",
    "verification": "none",
    "priority_callback": False,
    "diverted_from": None,
    "at": None,
}

# What `facts` may say: each becomes arguments of make_facts, given the moment of the call.
FACTS: dict[str, Callable[[Any, float], dict[str, Any]]] = {
    "level": lambda word, _: {"level": Level[word.upper()]},
    "points": lambda points, _: {"log_odds": points / 4.34, "level": make_reputation(points / 4.34).level},
    "callee": lambda table, _: {"callee": person_of(table)},
    "did_group": lambda group, _: {"did": make_did(group=group)},
    "unscreened": lambda so, _: {"did": make_did(screen=not so)},
    "internal": lambda so, _: {"caller_person": Person("299") if so else None},
    "allowlisted": lambda entry, _: {"allow": make_entry(ListName.ALLOW, **entry)},
    "blocklisted": lambda entry, _: {"block": make_entry(ListName.BLOCK, **entry)},
    "ties": lambda ties, _: {"ties": [make_tie(Tie(t["tie"]), t.get("person"), t.get("group")) for t in ties]},
    "identity": lambda table, _: {"identity": make_identity(**table)},
    "listed": lambda rows, _: {"imported": [make_imported(**row) for row in rows]},
    "own_number": lambda so, _: {"own_number": so},
    "challenge_passed_days_ago": lambda days, now: {"challenge_passed_at": now - days * DAY},
    "emergency_minutes_ago": lambda minutes, now: {"emergency_at": now - minutes * MINUTE},
    "called_minutes_ago": lambda times, now: {"recent_calls": [now - t * MINUTE for t in times]},
    "block_called_minutes_ago": lambda times, now: {"recent_block_calls": [now - t * MINUTE for t in times]},
}

# What `expect` may ask of the decision.
EXPECT: dict[str, Callable[[Decision], Any]] = {
    "action": lambda decision: decision.action.word,
    "would_be": lambda decision: decision.would_be.word,
    "rule": lambda decision: decision.rule,
    "reason": lambda decision: decision.reason,
    "step": lambda decision: decision.step,
    "capped_by": lambda decision: decision.capped_by,
    "label": lambda decision: decision.label,
    "name": lambda decision: decision.name,
}


def checked(what: str, table: Mapping[str, Any], allowed: Mapping[str, Any] | frozenset[str]) -> Mapping[str, Any]:
    """The table, all of whose keys are known."""
    for key in sorted(table.keys() - allowed):
        raise ValueError(f"{what} has no key {key}{nearest(key, allowed)}")
    return table


def call_of(table: Mapping[str, Any]) -> tuple[IncomingCall, float]:
    """The call and its moment. The caller is read as network text is: `anonymous` is a caller too."""
    given = {**CALL, **checked("call", table, CALL)}
    caller = caller_of(given["caller"], given["region"])
    call = make_call(
        caller.e164,
        kind=caller.kind,
        did=given["did"],
        trunk=given["trunk"],
        trusted=given["trusted"],
        attestation=Attestation(given["attestation"]),
        verification=Verification(given["verification"]),
        priority_callback=given["priority_callback"],
        diverted_from=given["diverted_from"],
    )
    return call, given["at"].timestamp() if isinstance(given["at"], datetime) else NOW


def facts_of(table: Mapping[str, Any], now: float) -> Facts:
    given: dict[str, Any] = {}
    for key, value in checked("facts", table, FACTS).items():
        given |= FACTS[key](value, now)
    return make_facts(**given)


def outcome_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """What is decided in a case, as far as it expects something."""
    checked("case", case, CASE_KEYS)
    policy = make_policy(case["text"]) if "text" in case else load_policy(case["policy"])
    call, now = call_of(case.get("call", {}))
    decision = decide(call, facts_of(case.get("facts", {}), now), policy, now)
    return {key: EXPECT[key](decision) for key in checked("expect", case["expect"], EXPECT)}


def cases_in(path: Path) -> list[Any]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    return [pytest.param(case, id=f"{path.stem}: {case['name']}") for case in tables]


@pytest.mark.parametrize("case", [case for path in sorted(CASES.glob("*.toml")) for case in cases_in(path)])
def test_case(case: Mapping[str, Any]) -> None:
    assert outcome_of(case) == case["expect"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        pytest.param({"cal": {}}, "case has no key cal (did you mean call?)", id="case"),
        pytest.param({"call": {"callee": "201"}}, "call has no key callee (did you mean caller?)", id="call"),
        pytest.param({"facts": {"levels": "tag"}}, "facts has no key levels (did you mean level?)", id="facts"),
        pytest.param({"expect": {"act": "tag"}}, "expect has no key act (did you mean action?)", id="expect"),
    ],
)
def test_a_slip_in_a_case_is_not_passed_over(case: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace("?)", r"\?\)")):
        outcome_of({"policy": "cautious", "expect": {}, **case})
