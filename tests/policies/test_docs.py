"""docs/reference/policies.md and the pages beside it say all in words that the code knows, and every example loads."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agi.display import TEXTS, WORD_BY_CATEGORY
from callsieve.settings import parse_settings
from policies.case_schema import CALL, EXPECT, FACTS
from policies.cases import CASE_KEYS
from policies.conditions import COMBINATIONS
from policies.decision import OWN_RULES, Action
from policies.engine import STEPS
from policies.loader import MAX_REASON, POLICY_KEYS, PRESETS, RULE_KEYS, load_policy
from policies.vocabulary import MAX_CALLS, MAX_MINUTES, VOCABULARY
from reputation.facts import EMERGENCY_WINDOW_SECONDS
from reputation.model import Attestation, AuthClass, CallerKind, Level, Reputation, Verification
from reputation.numbers import NumberType
from reputation.weights import DEFAULT
from tests.builders import make_policy, trials_of

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("reference/policies.md", "reference/policy-conditions.md", "reference/policy-cases.md", "how-to/strangers.md")
PAGE = "\n## End\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
HEADINGS = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in table[2:]]


def words_in(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize("name", [*VOCABULARY, *COMBINATIONS])
def test_each_condition_is_documented_with_an_example(name: str) -> None:
    section = SECTIONS[name]
    assert f"{name} = " in section.split("```toml")[1]


def test_only_existing_conditions_are_documented() -> None:
    assert SECTIONS.keys() - {"extends", "observe", "default"} == {*VOCABULARY, *COMBINATIONS}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("level_at_least", [level.word for level in Level if level is not Level.NONE]),
        ("attestation", list(Attestation)),
        ("verification", list(Verification)),
        ("auth_class", list(AuthClass)),
        ("caller_kind", list(CallerKind)),
        ("number_type", list(NumberType)),
        ("weekdays", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    ],
)
def test_documentation_names_all_values_of_a_condition(name: str, words: list[str]) -> None:
    assert words_in(SECTIONS[name].split("```toml")[0]) >= {str(word) for word in words}


def test_limits_of_calls_within_are_documented() -> None:
    assert f"`at_least` (1 to {MAX_CALLS})" in SECTIONS["calls_within"]
    assert f"`minutes` (1 to {MAX_MINUTES})" in SECTIONS["calls_within"]


@pytest.mark.parametrize("key", [*sorted(POLICY_KEYS - {"rule"}), "[[rule]]"])
def test_each_key_of_a_policy_has_a_heading(key: str) -> None:
    assert f"`{key}`" in HEADINGS


def test_each_key_of_a_rule_has_a_row() -> None:
    assert {words_in(row[0]).pop() for row in rows("The keys of a file")} == RULE_KEYS
    assert f"at most {MAX_REASON} characters" in PAGE


def test_reserved_rule_names_are_documented() -> None:
    paragraph = PAGE.split("no rule may have one: ")[1].split("\n\n")[0]
    assert words_in(paragraph) == OWN_RULES


def test_actions_are_documented_in_order() -> None:
    assert [row[0] for row in rows("Actions")] == [f"`{action.word}`" for action in Action]


def test_levels_are_documented_with_thresholds() -> None:
    expected = [["`none`", "", ""]]
    for log_odds, level in reversed(DEFAULT.levels.strongest_first):
        expected.append([f"`{level.word}`", f"{log_odds:g}", str(Reputation(log_odds).points)])
    assert [row[:3] for row in rows("Levels and points")] == expected


def test_presets_are_documented() -> None:
    assert [row[0] for row in rows("Presets")][: len(PRESETS)] == [f"`{preset}`" for preset in PRESETS]


def test_rules_of_the_presets_are_documented() -> None:
    """The second table under the heading: each rule of strict, in order, with its action and label."""
    table = [row for row in rows("Presets") if len(row) == 4 and row[0].startswith("`")]
    expected = [(rule.name, rule.action.word, rule.label) for rule in load_policy("strict").rules]
    found = [(words_in(name).pop(), words_in(action).pop(), words_in(label)) for name, _, action, label in table]
    assert [(name, action, labels.pop() if labels else None) for name, action, labels in found] == expected


def test_precedence_is_documented() -> None:
    steps = {int(row[0]): row[1] for row in rows("Precedence and caps") if row[0].isdecimal()}
    assert list(steps) == list(range(1, 10))
    assert all(steps[step.number] == step.title for step in STEPS)
    assert f"{EMERGENCY_WINDOW_SECONDS / 60:.0f} minutes" in PAGE


def test_labels_are_documented() -> None:
    section = PAGE.split("\n## Labels\n")[1].split("\n## ")[0]
    assert words_in(section) >= {
        *WORD_BY_CATEGORY,
        *(TEXTS["en"][word] for word in (*WORD_BY_CATEGORY.values(), "spam")),
        *("label", "tag", "warn"),
    }


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        pytest.param("key of a case", CASE_KEYS, id="case"),
        pytest.param("key of `call`", CALL, id="call"),
        pytest.param("key of `facts`", FACTS, id="facts"),
        pytest.param("key of `expect`", EXPECT, id="expect"),
    ],
)
def test_each_key_of_a_case_has_a_row(table: str, keys: Collection[str]) -> None:
    lines = PAGE.split(f"\n| {table} |")[1].split("\n\n")[0].splitlines()[2:]
    assert sorted(words_in(line.split("|")[1]).pop() for line in lines) == sorted(keys)


def test_defaults_of_a_case_are_documented() -> None:
    (trial,) = trials_of('[[case]]\nname = "one"\nexpect = { action = "allow" }')
    assert f"`{trial.case.call.caller.key}`" in PAGE
    assert f"{datetime.fromtimestamp(trial.case.now, UTC):%Y-%m-%d %H:%M} UTC, a Thursday" in PAGE


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    if "[[case]]" in example:
        assert trials_of(example)
    elif "[[scope]]" in example:
        assert parse_settings(example, "callsieve.toml").scope
    elif example.startswith("when = "):
        rule = f'[[rule]]\nname = "example"\naction = "tag"\nreason = "an example"\n{example}'
        assert make_policy(rule).rules[0].when
    else:
        assert make_policy(example).rules
