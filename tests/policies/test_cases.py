"""Cases as an operator writes them: ours (cases/*.toml), and what is said of files that are none.

What a case may say is in policies/cases.py and docs/reference/policies.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case_schema import CALL, EXPECT, FACTS
from policies.cases import Difference, Trial, read_trials, run_trial
from policies.decision import Action
from policies.loader import load_policy, read_text
from policies.policy import PolicyError, PolicyScope, PolicySet
from reputation.model import Level
from tests.builders import make_policy, trials_of

CASES = Path(__file__).parent / "cases"
OURS = [trial for path in sorted(CASES.glob("*.toml")) for trial in trials_of(read_text(path))]
BLOCKING = make_policy('default = "reject"', "blocking")


def trial_of(text: str) -> Trial:
    """The one case of a file with this in its only table."""
    (trial,) = trials_of(f'[[case]]\nname = "one"\nexpect = {{ action = "allow" }}\n{text}')
    return trial


def problems_of(text: str) -> list[str]:
    """What is said of a file that cannot be used."""
    trials, problems = read_trials(text)
    assert trials == ()
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("trial", OURS, ids=lambda trial: trial.name)
def test_shipped_cases_pass(trial: Trial) -> None:
    assert run_trial(trial, load_policy("cautious"), load_policy).differs == ()


def test_failed_case_names_the_difference() -> None:
    trial = trial_of('policy = "strict"\nfacts = { level = "reject" }')
    tried = run_trial(trial, BLOCKING, load_policy)
    assert tried.differs == (Difference("action", "allow", "reject"),)
    assert (tried.name, tried.decision.rule, tried.decision.policy) == ("one", "level-reject", "strict")


def test_case_without_a_policy_uses_that_of_its_scope() -> None:
    running = PolicySet(load_policy("observe"), (PolicyScope(BLOCKING, group="sales"),))
    groups = 'facts = { did_group = ["support", "sales"] }'
    for facts, action in (
        ("", Action.ALLOW),
        ('facts = { did_group = "sales" }', Action.REJECT),
        (groups, Action.REJECT),
    ):
        assert run_trial(trial_of(facts), running, load_policy).decision.action is action


def test_emergency_window_comes_from_the_settings() -> None:
    trial = trial_of("facts = { emergency_minutes_ago = 10 }")
    assert run_trial(trial, BLOCKING, load_policy).decision.action is Action.ALLOW
    assert run_trial(trial, BLOCKING, load_policy, window_seconds=300.0).decision.action is Action.REJECT


def test_national_numbers_are_read_by_the_plan_of_the_pbx() -> None:
    call = 'call = { caller = "020 7183 8751", did = "020 7183 8750" }'
    (trial,) = trials_of(EXPECTING + call, "GB")
    assert (trial.case.call.caller.key, trial.case.call.did) == ("+442071838751", "+442071838750")


@pytest.mark.parametrize(
    ("facts", "points", "level"),
    [
        pytest.param("points = 25", 25, Level.CHALLENGE, id="points-reach-their-level"),
        pytest.param("points = 24", 24, Level.WARN, id="one-point-less-does-not"),
        pytest.param('level = "warn"', 18, Level.WARN, id="a-level-has-the-points-it-takes"),
        pytest.param('level = "none"', 0, Level.NONE, id="none"),
        pytest.param('points = 40\nlevel = "warn"', 40, Level.WARN, id="both: marks-alone-never-challenge"),
    ],
)
def test_levels_and_points_of_a_case(facts: str, points: int, level: Level) -> None:
    reputation = trial_of(f"[case.facts]\n{facts}").case.facts.reputation
    assert (reputation.points, reputation.level) == (points, level)


NAMED = '[[case]]\nname = "one"\n'
EXPECTING = NAMED + 'expect = { action = "warn" }\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[[case]", "not TOML: ", id="not-toml"),
        pytest.param("x = " + "[" * 5000, "not TOML: ", id="endless-brackets"),
        pytest.param("", "[[case]]", id="empty"),
        pytest.param("case = 3", "[[case]]", id="no-tables"),
        pytest.param("[[cases]]", "cases (did you mean case?)", id="file"),
        pytest.param("[[case]]", "case number 1: needs a `name`", id="no-name"),
        pytest.param(EXPECTING + "[[case]]\nname = 3", "case number 2: needs a `name`", id="name-is-no-text"),
        pytest.param(EXPECTING + EXPECTING, "case 'one': another case has the same name", id="name-twice"),
        pytest.param(
            NAMED, "case 'one': has no expected result: write `expect = { action = ... }`", id="expects-nothing"
        ),
        pytest.param(NAMED + "expect = 3", "case 'one': expect must be", id="no-table"),
        pytest.param(EXPECTING + "cal = {}", "cal (did you mean call?)", id="case-key"),
        pytest.param(
            EXPECTING + 'policy = "strict"\ntext = ""',
            "case 'one': has both `policy` and `text`",
            id="two-policies",
        ),
        pytest.param(EXPECTING + "text = 3", "case 'one': text must be", id="text"),
        pytest.param(EXPECTING + "policy = ''", "case 'one': policy must be", id="policy"),
        pytest.param(EXPECTING + 'call = { calle = "201" }', "'calle' (did you mean caller?)", id="call-key"),
        pytest.param(EXPECTING + "call = { trusted = 1 }", "call.trusted must be", id="boolean"),
        pytest.param(
            EXPECTING + 'call = { attestation = "D" }',
            "call.attestation has the unknown value 'D'",
            id="word",
        ),
        pytest.param(
            EXPECTING + 'call = { region = "Britain" }',
            "'Britain'",
            id="region",
        ),
        pytest.param(
            EXPECTING + "call = { at = 2026-01-15T03:00:00 }",
            "call.at must be",
            id="time-without-zone",
        ),
        pytest.param(EXPECTING + 'facts = { levels = "tag" }', "'levels' (did you mean level?)", id="facts-key"),
        pytest.param(
            EXPECTING + 'facts = { level = "wran" }',
            "'wran' (did you mean warn?)",
            id="level",
        ),
        pytest.param(
            EXPECTING + "facts = { points = 1e3 }",
            "facts.points must be",
            id="points",
        ),
        pytest.param(
            EXPECTING + 'facts = { ties = [{ tie = "contct" }] }',
            "'contct' (did you mean contact?)",
            id="key-in-a-list",
        ),
        pytest.param(
            EXPECTING + 'facts = { callee = { group = "sales" } }',
            "facts.callee needs the key 'extension'",
            id="key-that-is-needed",
        ),
        pytest.param(
            EXPECTING + 'facts = { blocklisted = { entry = "1201742*" } }',
            "facts.blocklisted.entry has the invalid value '1201742*'",
            id="entry",
        ),
        pytest.param(
            EXPECTING + "facts = { called_minutes_ago = 3 }",
            "facts.called_minutes_ago must be a list",
            id="no-list",
        ),
        pytest.param(
            EXPECTING + "facts = { called_minutes_ago = [nan] }",
            "facts.called_minutes_ago must be a number",
            id="no-number",
        ),
        pytest.param(
            NAMED + 'expect = { action = "challange" }',
            "'challange' (did you mean challenge?)",
            id="action",
        ),
        pytest.param(NAMED + 'expect = { act = "tag" }', "'act' (did you mean action?)", id="expect"),
        pytest.param(NAMED + "expect = { step = 10 }", "expect.step must be", id="step"),
    ],
)
def test_mistake_in_a_case_is_reported(text: str, says: str) -> None:
    problems = problems_of(text)
    assert any(says in problem for problem in problems)
    assert all(problem.isprintable() for problem in problems)


def test_all_mistakes_of_a_file_are_named_with_lines() -> None:
    slips = """\
[[case]]
name = "one"
polcy = "strict"
expect = { action = "tga", reson = "none" }
[case.facts]
ties = [
  { tie = "contct", person = 3 },
]
callee = {}

[[case]]
[case.call]
trusted = 1
"""
    found = [(problem.line, str(problem.text).split(" (")[0]) for problem in read_trials(slips)[1]]
    assert found == [
        (3, "case 'one': unknown key polcy"),
        (4, "case 'one': expect has the unknown key 'reson'"),
        (4, "case 'one': expect.action has the unknown value 'tga'"),
        (7, "case 'one': facts.ties.tie has the unknown value 'contct'"),
        (7, "case 'one': facts.ties.person must be one line of text, not 3"),
        (9, "case 'one': facts.callee needs the key 'extension'"),
        (11, "case number 2: needs a `name` of one line"),
        (11, "case number 2: has no expected result: write `expect = { action = ... }`"),
        (13, "case number 2: call.trusted must be true or false, not 1"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('policy = "stict"', "there is no policy 'stict' (did you mean strict?)", id="name"),
        pytest.param(
            "text = 'defalt = \"warn\"'",
            "text: line 1: unknown key defalt (did you mean ",
            id="text",
        ),
    ],
)
def test_unusable_policy_is_named_with_its_case(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=r"^line 1: case 'one': ") as caught:
        run_trial(trial_of(text), BLOCKING, load_policy)
    assert says in str(caught.value)


def test_unknown_rule_is_a_mistake_not_a_failed_case() -> None:
    (trial,) = trials_of(NAMED + 'policy = "cautious"\nexpect = { rule = "level-wran" }')
    with pytest.raises(PolicyError) as caught:
        run_trial(trial, BLOCKING, load_policy)
    assert str(caught.value).startswith("line 1: case 'one': expect: ")
    assert "'level-wran' (did you mean " in str(caught.value)


def test_shipped_cases_use_every_key() -> None:
    """So that no key is described that does nothing."""
    text = "".join(path.read_text(encoding="utf-8") for path in CASES.glob("*.toml"))
    assert [key for key in (*CALL, *FACTS, *EXPECT) if f"{key} = " not in text] == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*CALL.items(), *FACTS.items(), *((key, read) for key, (read, _) in EXPECT.items())]), anything)
def test_any_value_of_a_key_is_read_or_refused(key: tuple[str, Any], value: Any) -> None:
    """Any other exception than a refusal fails here; a refusal is one line for a person."""
    try:
        key[1](value)
    except PolicyError as error:
        assert str(error)  # noqa: PT017 (that it is raised at all depends on the value)
