"""Remarks on rules that keep callers away because of our own people alone."""

from __future__ import annotations

import pytest

from policies.lint import trusting_rules
from policies.loader import PRESETS, load_policy, parse_policy

RULE = """
[[rule]]
name = "house"
when = {when}
action = "{action}"
reason = "x"
"""


def is_remarked(action: str, when: str) -> bool:
    remarks = trusting_rules(parse_policy(RULE.format(action=action, when=when), "mine", "mine.toml", load_policy))
    assert all(remark.startswith("rule 'house': may ") for remark in remarks)
    return bool(remarks)


@pytest.mark.parametrize(
    ("action", "when"),
    [
        ("reject", '{ level_at_least = "warn" }'),
        ("reject", '{ level_at_least = "challenge" }'),
        ("route", '{ level_at_least = "challenge", country = "US" }'),
        ("challenge", '{ level_at_least = "warn" }'),
        ("challenge", "{ points_between = [13, 99] }"),
        ("route", '{ any = [{ listed = "ftc" }, { points_between = [20, 99] }] }'),
        ("reject", '{ all = [{ level_at_least = "warn" }, { not = { listed = "ftc" } }] }'),
    ],
)
def test_rules_that_our_people_alone_fulfil_get_a_remark(action: str, when: str) -> None:
    assert is_remarked(action, when)


@pytest.mark.parametrize(
    ("action", "when"),
    [
        ("reject", '{ level_at_least = "route" }'),
        ("challenge", '{ level_at_least = "challenge" }'),
        ("warn", '{ level_at_least = "tag" }'),
        ("reject", '{ level_at_least = "warn", listed = "ftc" }'),
        ("reject", '{ points_between = [10, 99], verification = "failed" }'),
        ("reject", '{ any = [{ level_at_least = "reject" }, { caller_kind = "invalid" }] }'),
        ("challenge", '{ caller_kind = "withheld" }'),
        ("challenge", "{ points_between = [-10, 0] }"),
    ],
)
def test_rules_that_need_more_get_no_remark(action: str, when: str) -> None:
    assert not is_remarked(action, when)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_gets_a_remark(preset: str) -> None:
    assert trusting_rules(load_policy(preset)) == []
