"""`policy check` names all that is wrong, where loading stops at the first error."""

from __future__ import annotations

import pytest

from policies.checking import problems_of_policy, unknown_names
from policies.loader import load_policy, parse_policy
from policies.policy import PolicyError

GOOD = """
extends = "cautious"
[[rule]]
name = "premium"
when = { prefix = "+1900" }
action = "reject"
reason = "premium numbers do not call"
"""
BAD = """
extends = "cautius"
observe = "yes"
colour = "red"
[[rule]]
name = "one"
when = { level_atleast = "warn" }
action = "reject"
reason = "x"
[[rule]]
name = "two"
when = { prefix = "+1" }
action = "rejct"
reason = "x"
[[rule]]
name = "three"
when = { prefix = "+19" }
action = "warn"
reason = "x"
[[rule]]
name = "four"
when = { prefix = "+1900" }
action = "warn"
reason = "x"
[[rule]]
when = { prefix = "+44" }
action = "warn"
reason = "x"
"""


def problems_of(text: str) -> list[str]:
    return problems_of_policy(text, "mine", "mine.toml", load_policy)


def test_a_good_policy_has_no_problems() -> None:
    assert problems_of(GOOD) == []


def test_every_problem_is_named_once_in_the_order_of_the_file() -> None:
    problems = problems_of(BAD)
    for problem, part in zip(
        problems, ["cautius", "observe", "colour", "'one'", "'two'", "'four'", "rule number 5"], strict=True
    ):
        assert problem.startswith("mine.toml: ")
        assert part in problem


def test_the_first_problem_that_loading_stops_at_is_among_them() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(BAD, "mine", "mine.toml", load_policy)
    assert str(caught.value) in problems_of(BAD)


@pytest.mark.parametrize("text", ["[[rule", "rule = 5", "rule = [5]", 'rule = "x"', "a = " + "[" * 2000])
def test_what_is_no_policy_at_all_is_one_problem(text: str) -> None:
    [problem] = problems_of(text)
    assert problem.startswith("mine.toml: ")


def test_names_that_the_settings_do_not_know_are_remarked() -> None:
    policy = parse_policy(
        """
[[rule]]
name = "deep"
when = { any = [{ trunk = ["carrier", "carier"] }, { not = { did = "+442071838750" } }], all = [{ listed = "ftc" }] }
action = "warn"
reason = "x"
""",
        "mine",
        "mine.toml",
        load_policy,
    )
    known = {"trunk": frozenset({"carrier"}), "did": frozenset({"+442071838750"}), "listed": frozenset({"mine"})}
    assert unknown_names(policy, known) == [
        "rule 'deep': trunk 'carier' is no [[trunk]]: it never holds",
        "rule 'deep': listed 'ftc' is no imported source: it never holds",
    ]
    assert unknown_names(policy, {}) == []
