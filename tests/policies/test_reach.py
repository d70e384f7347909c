"""Rules that are never reached: what the loader refuses is never reached, and the plain mistakes are all refused."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.conditions import implies, read_when
from policies.policy import Case, Condition, PolicyError
from tests.builders import make_policy
from tests.policies.strategies import OPERANDS, cases, flat_tables, toml_of_rule, when_tables


def conditions(when: str) -> tuple[Condition, ...]:
    return read_when(tomllib.loads(f"when = {{ {when} }}")["when"])


# A rule, one after it, and whether that one is seen to be unreachable.
PAIRS = [
    ('trunk = "a"', 'trunk = "a"', True),
    ('trunk = ["a", "b"]', 'trunk = "b"', True),
    ('trunk = "b"', 'trunk = ["a", "b"]', False),
    ('trunk = "a"', 'trunk = "a", country = "US"', True),
    ('trunk = "a", country = "US"', 'trunk = "a"', False),
    ('trunk = "a"', 'did = "a"', False),
    ('level_at_least = "warn"', 'level_at_least = "reject"', True),
    ('level_at_least = "reject"', 'level_at_least = "warn"', False),
    ("points_between = [0, 20]", "points_between = [5, 20]", True),
    ("points_between = [5, 20]", "points_between = [0, 20]", False),
    ('prefix = "+1"', 'prefix = ["+1201", "+1202"]', True),
    ('prefix = "+1201"', 'prefix = ["+1201", "+1"]', False),
    ("relationship = true", "relationship = true", True),
    ("relationship = true", "relationship = false", False),
    ('listed = ["ftc", "fcc"]', 'listed = "fcc"', True),
    ('category = "scam"', 'category = ["scam", "sales"]', False),
    ("calls_within = { minutes = 10, at_least = 2 }", "calls_within = { minutes = 5, at_least = 3 }", True),
    ("calls_within = { minutes = 10, at_least = 3 }", "calls_within = { minutes = 10, at_least = 2 }", False),
    ("calls_within = { minutes = 5, at_least = 2 }", "calls_within = { minutes = 10, at_least = 2 }", False),
    ("dids_called = { minutes = 10, at_least = 2 }", "dids_called = { minutes = 5, at_least = 3 }", True),
    ("dids_called = { minutes = 10, at_least = 3 }", "dids_called = { minutes = 10, at_least = 2 }", False),
    ("neighbours_called = 2", "neighbours_called = 3", True),
    ("dids_in_a_row = 3", "dids_in_a_row = 2", False),
    (
        "calls_within = { minutes = 10, at_least = 2 }",
        'calls_within = { minutes = 10, at_least = 2, of = "block" }',
        False,
    ),
    (
        'hours = { from = "22:00", to = "08:00", zone = "UTC" }',
        'hours = { from = "22:00", to = "08:00", zone = "UTC" }',
        True,
    ),
    (
        'hours = { from = "22:00", to = "08:00", zone = "UTC" }',
        'hours = { from = "22:00", to = "08:00", zone = "Europe/London" }',
        False,
    ),
    ('weekdays = { days = ["sat", "sun"], zone = "UTC" }', 'weekdays = { days = "sun", zone = "UTC" }', True),
    ('weekdays = { days = ["sat", "sun"], zone = "UTC" }', 'weekdays = { days = "sun", zone = "Asia/Tokyo" }', False),
    ('weekdays = { days = "sat", zone = "UTC" }', 'weekdays = { days = ["sat"], zone = "UTC" }', True),
    ('any = [{ trunk = "a" }, { trunk = "b" }]', 'any = [{ trunk = "a" }, { trunk = "b" }], country = "US"', True),
    ('any = [{ trunk = "a" }]', 'all = [{ trunk = "a" }]', False),
    ('not = { trunk = "a" }', 'not = { trunk = "a" }', True),
    ('not = { trunk = "a" }', 'not = { trunk = ["a", "b"] }', False),
]


@pytest.mark.parametrize(("first", "second", "unreachable"), PAIRS)
def test_unreachable_rules_are_recognised(first: str, second: str, unreachable: bool) -> None:
    assert implies(conditions(second), conditions(first)) is unreachable


@st.composite
def alike(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, object]]:
    """Two `when` tables, the second over words of the first, so that one often covers the other."""
    narrow = draw(flat_tables())
    names = draw(st.lists(st.sampled_from(sorted(narrow)), min_size=1, unique=True))
    return narrow, {name: draw(st.just(narrow[name]) | OPERANDS[name]) for name in names}


def assert_sound(narrow: dict[str, object], wide: dict[str, object], case: Case) -> None:
    first, second = read_when(narrow), read_when(wide)
    assume(implies(first, second))
    assert not all(c.holds(case) for c in first) or all(c.holds(case) for c in second)


@settings(max_examples=100)
@given(alike(), cases())
def test_covering_condition_holds_wherever_the_covered_does(
    pair: tuple[dict[str, object], dict[str, object]], case: Case
) -> None:
    assert_sound(*pair, case)


@given(when_tables(), cases(), st.data())
def test_combinations_hold_wherever_the_covered_does(
    narrow: dict[str, object], case: Case, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(narrow)))
    assert_sound(narrow, {name: narrow[name]}, case)


@given(flat_tables(), cases(), st.data())
def test_rule_refused_as_unreachable_never_decides(first: dict[str, object], case: Case, data: st.DataObject) -> None:
    second = {**data.draw(flat_tables()), **{name: data.draw(OPERANDS[name]) for name in first}}
    early, late = toml_of_rule("early", first), toml_of_rule("late", second)
    try:
        make_policy(early + late)
    except PolicyError as error:
        assert re.search("rule 'late' .*rule 'early'", str(error))  # noqa: PT017
        [first_rule], [second_rule] = make_policy(early).rules, make_policy(late).rules
        assert first_rule.matches(case) or not second_rule.matches(case)
