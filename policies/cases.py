"""Cases of an operator's own: a call, what is known of it, and what is expected of a policy. `callsieve policy test`.

    [[case]]
    name = "a spammer who called us a minute ago"
    policy = "cautious"                                     # or `text = '''...'''`: a policy of the case's own
    call = { caller = "+12017421834", attestation = "C" }
    facts = { level = "challenge", called_minutes_ago = [1] }
    expect = { action = "warn", rule = "level-challenge" }

What is expected is compared key by key; a key that is not there does not matter. An error names the file, the case, the
key and the way out:
    cases.toml: case 'a spammer': call has no key 'calle' (did you mean caller?)
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from policies.case_schema import (
    CALL,
    EXPECT,
    FACTS,
    Reader,
    call_of,
    differences,
    facts_of,
    read_key,
    read_keys,
    read_line,
)
from policies.decision import OWN_RULES, Decision
from policies.engine import EMERGENCY_WINDOW_SECONDS, decide
from policies.hints import nearest, shown
from policies.loader import POLICY_KEYS, parse_policy
from policies.policy import Case, Policy, PolicyError, PolicySet
from reputation.weights import DEFAULT, Thresholds

MAX_BYTES = 1 << 20  # no daemon reads them
CASE_KEYS = frozenset({"name", "policy", "text", "call", "facts", "expect"})
_EXPECTED: Mapping[str, Reader] = {key: read for key, (read, _) in EXPECT.items()}


@dataclass(frozen=True, slots=True)
class Trial:
    """A case with what is expected of it. `policy` is a policy's name, `text` one in full; neither: the running one."""

    name: str
    case: Case
    expect: Mapping[str, Any]
    policy: str | None = None
    text: str | None = None


class Difference(NamedTuple):
    """Something that is not as expected."""

    key: str
    expected: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a case. It passed when nothing differs."""

    name: str
    decision: Decision
    differs: tuple[Difference, ...]


def parse_trials(text: str, source: str, region: str = "US", levels: Thresholds = DEFAULT.levels) -> tuple[Trial, ...]:
    """The cases of a file. `source` is its name for errors; `region` that of the PBX; `levels` what points reach."""
    try:
        tables = _tables(tomllib.loads(text))
        trials = tuple(_trial(table, number, region, levels) for number, table in enumerate(tables, start=1))
        _check_names(trials)
    except PolicyError as error:
        raise PolicyError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; numbers of 5000 digits; 1000 brackets in a row
        raise PolicyError(f"{source}: not TOML: {error}") from None
    return trials


def run_trial(
    trial: Trial,
    running: PolicySet | Policy,
    policy_of: Callable[[str], Policy],
    window_seconds: float = EMERGENCY_WINDOW_SECONDS,
) -> Tried:
    """Decides the case. `running`: for cases that name no policy. PolicyError: a policy cannot be used."""
    case = trial.case
    try:
        policy = _policy(trial, running, policy_of)
        _check_rule(trial.expect.get("rule"), policy)
    except PolicyError as error:
        raise PolicyError(f"case {shown(trial.name)}: {error}") from None
    decision = decide(case.call, case.facts, policy, case.now, window_seconds)
    return Tried(trial.name, decision, tuple(Difference(*one) for one in differences(trial.expect, decision)))


def _tables(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if file.keys() & POLICY_KEYS:
        raise PolicyError("this is a policy, not cases: callsieve policy test CASES.toml --policy FILE.toml tries it")
    for key in sorted(file.keys() - {"case"}):
        raise PolicyError(f"unknown key {key}{nearest(key, ['case'])}")
    tables = file.get("case", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise PolicyError("holds no case: each is written as a [[case]] table")
    return tables


def _trial(table: Mapping[str, Any], number: int, region: str, levels: Thresholds) -> Trial:
    try:
        name = read_line(table.get("name"))
    except PolicyError:
        raise PolicyError(f"case number {number}: needs a name of one line") from None
    try:
        for key in sorted(table.keys() - CASE_KEYS):
            raise PolicyError(f"unknown key {key}{nearest(key, CASE_KEYS)}")
        if {"policy", "text"} <= table.keys():
            raise PolicyError("has a policy and a text: one of them says by which policy it is decided")
        expect = _read(table, "expect", _EXPECTED)
        if not expect:
            raise PolicyError("expects nothing: write expect = { action = ... }")
        call, now = call_of(_read(table, "call", CALL), region)
        facts = facts_of(_read(table, "facts", FACTS), call, now, levels)
        of = {key: read_key(key, _READ_POLICY[key], table[key]) for key in ("policy", "text") if key in table}
    except PolicyError as error:
        raise PolicyError(f"case {shown(name)}: {error}") from None
    return Trial(name, Case(call, facts, now), expect, **of)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PolicyError(f"takes a policy in full, not {shown(value)}")
    return value


_READ_POLICY: Mapping[str, Reader] = {"policy": read_line, "text": _text}


def _read(table: Mapping[str, Any], name: str, keys: Mapping[str, Reader]) -> dict[str, Any]:
    """One of the tables of a case, every key of it read."""
    found: dict[str, Any] = read_key(name, partial(read_keys, keys, frozenset()), table.get(name, {}))
    return found


def _check_names(trials: tuple[Trial, ...]) -> None:
    seen: set[str] = set()
    for trial in trials:
        if trial.name in seen:
            raise PolicyError(f"case {shown(trial.name)}: the name is used twice")
        seen.add(trial.name)


def _policy(trial: Trial, running: PolicySet | Policy, policy_of: Callable[[str], Policy]) -> Policy:
    if trial.text is not None:
        return parse_policy(trial.text, "text", "text", policy_of)
    if trial.policy is not None:
        return policy_of(trial.policy)
    return running if isinstance(running, Policy) else running.policy_of(trial.case.call, trial.case.facts)


def _check_rule(rule: str | None, policy: Policy) -> None:
    """A rule that cannot decide anything would only ever fail the case."""
    known = [*(rule.name for rule in policy.rules), *OWN_RULES]
    if rule is not None and rule not in known:
        raise PolicyError(f"expect: policy {policy.name} has no rule {shown(rule)}{nearest(rule, known)}")
