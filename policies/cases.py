"""Test cases of operators for `callsieve policy test`: a call, its facts, and the expected decision.

[[case]]
name = "a spammer who called us a minute ago"
policy = "cautious"                                     # or `text = '''...'''`: a policy of the case's own
call = { caller = "+12017421834", attestation = "C" }
facts = { level = "challenge", called_minutes_ago = [1] }
expect = { action = "warn", rule = "level-challenge" }  # keys that are left out are not compared
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
    read_keys,
    read_line,
    refused_by,
)
from policies.decision import OWN_RULES, Decision
from policies.engine import decide
from policies.files import nearest, places_of, shown
from policies.loader import POLICY_KEYS, parse_policy, read_toml
from policies.policy import Case, Policy, PolicyError, PolicyProblem, PolicySet, Problems
from reputation.facts import EMERGENCY_WINDOW_SECONDS
from reputation.weights import DEFAULT, Thresholds

MAX_BYTES = 1 << 20  # read only by commands, not by the daemon
CASE_KEYS = frozenset({"name", "policy", "text", "call", "facts", "expect"})
_TABLES: Mapping[str, Mapping[str, Reader]] = {
    "call": CALL,
    "facts": FACTS,
    "expect": {key: read for key, (read, _) in EXPECT.items()},
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A test case with its expected result. `line`: the line in the file on which the test case begins.

    `policy`: the name of a policy. `text`: a complete policy. If both are None, the running policy is used.
    """

    name: str
    case: Case
    expect: Mapping[str, Any]
    policy: str | None = None
    text: str | None = None
    line: int | None = None


class Difference(NamedTuple):
    """A difference between the expected and the actual decision.

    Attributes:
        key: A key of `expect`.
        expected: The value of the key in `expect`.
        found: The value in the decision.
    """

    key: str
    expected: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a test case. The test case passed if there are no differences."""

    name: str
    decision: Decision
    differs: tuple[Difference, ...]


def read_trials(
    text: str, region: str = "US", levels: Thresholds = DEFAULT.levels
) -> tuple[tuple[Trial, ...], list[PolicyProblem]]:
    """Return the test cases of a file, or all its errors. `region`: the PBX's region. `levels`: level thresholds."""
    trials, problems = read_toml(text, lambda file, problems: _trials_from(file, region, levels, problems))
    if problems or trials is None:
        return (), problems
    places = places_of(text)
    return tuple(replace(trial, line=places.line_of(("case", place))) for place, trial in enumerate(trials)), []


def run_trial(
    trial: Trial,
    running: PolicySet | Policy,
    policy_of: Callable[[str], Policy],
    window_seconds: float = EMERGENCY_WINDOW_SECONDS,
) -> Tried:
    """Run a test case. `running`: the policy for cases that name none. Raise PolicyError for an invalid policy.

    `window_seconds`: for how long after an emergency call no call is screened.
    """
    case = trial.case
    facts = case.facts._replace(emergency_window_seconds=window_seconds)
    try:
        policy = _policy(trial, running, policy_of)
        _check_rule(trial.expect.get("rule"), policy)
    except PolicyError as error:
        raise PolicyError(str(PolicyProblem(f"case {shown(trial.name)}: {error}", line=trial.line))) from None
    decision = decide(case.call, facts, policy, case.now)
    return Tried(
        trial.name, decision, tuple(Difference(*difference) for difference in differences(trial.expect, decision))
    )


def _trials_from(file: Mapping[str, Any], region: str, levels: Thresholds, problems: Problems) -> list[Trial]:
    if file.keys() & POLICY_KEYS:
        remedy = "to test the policy, run `callsieve policy test CASES.toml --policy FILE.toml`"
        problems.add(f"this file is a policy, not a file of test cases: {remedy}", ())
        return []
    for key in (key for key in file if key != "case"):
        problems.add(f"unknown key {key}{nearest(key, ['case'])}", (key,))
    tables = file.get("case", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        problems.add("the file has no test case: write each test case as a [[case]] table", ("case",))
        return []
    trials: list[Trial] = []
    for place, table in enumerate(tables):
        trial = _trial_from(table, place, region, levels, problems)
        if trial is not None and any(trial.name == earlier.name for earlier in trials):
            problems.add(
                f"case {shown(trial.name)}: another case has the same name: rename one of them", ("case", place, "name")
            )
        elif trial is not None:
            trials.append(trial)
    return trials


def _trial_from(
    table: Mapping[str, Any], place: int, region: str, levels: Thresholds, problems: Problems
) -> Trial | None:
    path, before = ("case", place), len(problems)
    try:
        name = read_line(table.get("name"))
        about = f"case {shown(name)}: "
    except PolicyError:
        name, about = "", f"case number {place + 1}: "
        problems.add(f"{about}needs a `name` of one line", (*path, "name"))

    def read(key: str, reader: Reader, otherwise: Any = None) -> Any:
        try:
            return reader(table[key]) if key in table else otherwise
        except PolicyError as error:
            for refusal in refused_by(error):
                problems.add(f"{about}{refusal.below(key)}", (*path, key, *refusal.path))
            return None

    for key in (key for key in table if key not in CASE_KEYS):
        problems.add(f"{about}unknown key {key}{nearest(key, CASE_KEYS)}", (*path, key))
    if {"policy", "text"} <= table.keys():
        problems.add(f"{about}has both `policy` and `text`: remove one of them", (*path, "text"))
    policy, text = read("policy", read_line), read("text", _text)
    call, facts, expect = (read(key, partial(read_keys, keys, frozenset()), {}) for key, keys in _TABLES.items())
    if expect == {}:
        problems.add(f"{about}has no expected result: write `expect = {{ action = ... }}`", (*path, "expect"))
    if len(problems) > before:
        return None
    coming, now = call_of(call, region)
    return Trial(name, Case(coming, facts_of(facts, coming, now, levels), now), expect, policy, text)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PolicyError(f"must be a complete policy, not {shown(value)}")
    return value


def _policy(trial: Trial, running: PolicySet | Policy, policy_of: Callable[[str], Policy]) -> Policy:
    if trial.text is not None:
        return parse_policy(trial.text, "text", "text", policy_of)
    if trial.policy is not None:
        return policy_of(trial.policy)
    return trial.case.policy_of(running)


def _check_rule(rule: str | None, policy: Policy) -> None:
    known = [*(rule.name for rule in policy.rules), *OWN_RULES]
    if rule is not None and rule not in known:
        raise PolicyError(f"expect: the policy {policy.name} has no rule {shown(rule)}{nearest(rule, known)}")
