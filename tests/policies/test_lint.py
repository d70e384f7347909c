"""All that is wrong with a policy is named at once, each with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.lint import unknown_names
from policies.loader import load_policy, parse_policy, read_policy
from policies.policy import PolicyError, Problems

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


def problems_of(text: str) -> list[tuple[int | None, str]]:
    """Line and text of each."""
    policy, problems = read_policy(text, "mine", load_policy)
    assert (policy is None) == bool(problems)
    return [(problem.line, str(problem.text)) for problem in problems]


def test_a_good_policy_has_no_problems() -> None:
    assert problems_of(GOOD) == []


def test_every_problem_is_named_once_in_the_order_of_the_file() -> None:
    problems = problems_of(BAD)
    for (_, text), part in zip(
        problems, ["cautius", "observe", "colour", "'one'", "'two'", "'four'", "rule number 5"], strict=True
    ):
        assert part in text


FOUR_ERRORS = """\
[[rule]]
name = "premium"
when = { prefxi = "+1900", any = [
  { level_at_least = "wran" },
  { country = "US" },
] }
action = "rejct"
lable = "Premium"
"""


def test_all_errors_of_a_rule_are_named_with_line_and_word() -> None:
    assert problems_of(FOUR_ERRORS) == [
        (2, "rule 'premium': needs the key `reason`"),
        (3, "rule 'premium': unknown condition prefxi (did you mean prefix?)"),
        (4, "rule 'premium': condition level_at_least has the unknown level 'wran' (did you mean warn?)"),
        (7, "rule 'premium': `action` has the unknown value 'rejct' (did you mean reject?)"),
        (8, "rule 'premium': unknown key lable (did you mean label?)"),
    ]


def test_loading_names_the_first_and_how_many_more_there_are() -> None:
    with pytest.raises(PolicyError, match=r"^mine.toml: line 2: .* \(and 4 more: "):
        parse_policy(FOUR_ERRORS, "mine", "mine.toml", load_policy)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a." * 12_000 + "a = 1", id="one-key-of-many-parts"),
        pytest.param("[" + "a." * 12_000 + "a]", id="a-header-of-many-parts"),
        pytest.param("x = { " + "a." * 12_000 + "a = 1 }", id="in-an-inline-table"),
        pytest.param("".join(f"a.b{n} = 1\n" for n in range(2400)), id="many-keys"),
        pytest.param("".join(f"when{n} = 1\n" for n in range(2400)), id="many-unknown-keys"),
        pytest.param("[[rule]]\n" * 2600, id="many-rules"),
        pytest.param("[[rule]]\nname = 'x'\nwhen.not.not.not.x = 1\n" * 500, id="many-conditions"),
    ],
)
def test_malformed_policy_has_few_problems(text: str) -> None:
    assert 1 <= len(problems_of(text)) <= Problems.MOST


@pytest.mark.parametrize("text", ["[[rule", "rule = 5", "rule = [5]", 'rule = "x"', "a = " + "[" * 2000])
def test_text_that_is_not_a_policy_is_one_problem(text: str) -> None:
    assert len(problems_of(text)) == 1


def test_names_unknown_to_the_settings_get_a_remark() -> None:
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
    assert [text.split(", which")[0] for text in unknown_names(policy, known)] == [
        "rule 'deep': the condition `trunk` never holds for 'carier'",
        "rule 'deep': the condition `listed` never holds for 'ftc'",
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
    assert [line for line, _ in problems_of(LINES)] == [1, 2, 6, 13, 17, 21, 21, 21, 26]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a = [", 1, id="end-of-the-document"),
        pytest.param("observe = true\nb == 2\n", 2, id="not-toml"),
        pytest.param('observe = true\nextends = "nowhere"', 2, id="no-base"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_malformed_rule_is_named_with_its_line(text: str, line: int | None) -> None:
    assert [found for found, _ in problems_of(text)] == ([line] if line else [])


def test_repeated_rule_name_is_a_problem_of_the_second_rule() -> None:
    rule = '[[rule]]\nname = "a"\nwhen = { prefix = "+1" }\naction = "warn"\nreason = "x"\n'
    text = rule + rule.replace("+1", "+2")
    [(line, problem)] = problems_of(text)
    assert (line, "another rule has the same name" in problem) == (7, True)


@given(st.text(alphabet="[]rule=\"a1\n'= {}#,nme", max_size=200))
def test_problem_line_exists_in_the_text(text: str) -> None:
    for line, _ in problems_of(text):
        assert line is not None
        assert 1 <= line <= text.count("\n") + 1
