"""`policy check` names all that is wrong, where loading stops at the first error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.checking import line_of_problem, problems_of_policy, unknown_names
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


LINES = """\
extend = "cautious"
observe = 3

[[rule]]
name = "one"
when = { prefxi = ["+1900"] }
action = "reject"
reason = "x"

[[rule]]
name = "two"
when = { prefix = ["+1900"] }
action = "rejct"  # not "reject"
reason = "x"

[[rule]]
name = "three"
action = "reject"
reason = "x"

[[rule]]
action = "warn"

[[rule]]
name = "two"
when = { level_at_least = "wran" }
action = "warn"
reason = "x"
"""


def test_each_problem_has_its_line() -> None:
    found = [
        (line_of_problem(LINES, problem.removeprefix("draft: ")), problem.partition(": ")[2])
        for problem in problems_of_policy(LINES, "draft", "draft", load_policy)
    ]
    assert [(line, problem.split(" (")[0]) for line, problem in found] == [
        (1, "unknown key extend"),
        (2, "observe takes true or false, not 3"),
        (6, "rule 'one': unknown condition prefxi"),
        (13, "rule 'two': action does not know 'rejct'"),
        (17, "rule 'three': needs when"),
        (21, "rule number 4: needs a name of small letters, digits, - and _"),
        (26, "rule 'two': condition level_at_least does not know level 'wran'"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a = [", 1, id="end-of-the-document"),
        pytest.param("observe = true\nb == 2\n", 2, id="not-toml"),
        pytest.param('observe = true\nextends = "nowhere"', 2, id="no-base"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_line_of_what_is_no_rule(text: str, line: int | None) -> None:
    problems = problems_of_policy(text, "draft", "draft", load_policy)
    assert [line_of_problem(text, problem.removeprefix("draft: ")) for problem in problems] == ([line] if line else [])


def test_a_name_that_is_used_twice_is_a_problem_of_the_second() -> None:
    rule = '[[rule]]\nname = "a"\nwhen = { prefix = "+1" }\naction = "warn"\nreason = "x"\n'
    text = rule + rule.replace("+1", "+2")
    (problem,) = problems_of_policy(text, "draft", "draft", load_policy)
    assert line_of_problem(text, problem.removeprefix("draft: ")) == 7


@given(st.text(alphabet="[]rule=\"a1\n'= {}#,nme", max_size=200), st.text(max_size=80))
def test_whatever_the_text_is_the_line_is_one_of_it(text: str, problem: str) -> None:
    line = line_of_problem(text, problem)
    assert line is None or 1 <= line <= max(1, len(text.splitlines())) or "(at line" in problem
