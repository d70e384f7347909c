"""A rule on a voice: its label, and that a voice alone is no reason to reject."""

from __future__ import annotations

import pytest

from agi.display import TEXTS, Display, shown_of
from policies.decision import Action
from policies.engine import decide
from policies.loader import load_policy, parse_policy
from policies.policy import Policy, PolicyError
from reputation.model import Voice
from tests.builders import NOW, make_call, make_facts

HEARD = make_facts()._replace(voice=Voice.ROBOT)


def policy_with(when: str, action: str, more: str = "") -> Policy:
    rule = f'[[rule]]\nname = "house"\nwhen = {when}\naction = "{action}"\nreason = "x"\n{more}'
    return parse_policy(rule, "mine", "mine.toml", load_policy)


@pytest.mark.parametrize(
    ("when", "more", "label"),
    [
        ('{ voice = "robot" }', "", TEXTS["en"]["voice-robot"]),
        ('{ voice = "robot", country = "US" }', "", TEXTS["en"]["voice-robot"]),
        ('{ voice = "robot" }', 'label = "Bot:"', "Bot:"),
        ('{ voice = ["robot", "unclear"] }', "", "SPAM?"),
    ],
)
def test_label_shown_on_the_phone(when: str, more: str, label: str) -> None:
    decision = decide(make_call(), HEARD, policy_with(when, "tag", more), NOW)
    assert decision.action is Action.TAG
    if label == "SPAM?":
        assert decision.label is None
    else:
        assert shown_of(make_call(), decision, Display()).label == label


def test_the_label_is_in_the_callees_language() -> None:
    decision = decide(make_call(), HEARD, policy_with('{ voice = "robot" }', "tag"), NOW)
    assert shown_of(make_call(), decision._replace(language="zh"), Display()).label == TEXTS["zh"]["voice-robot"]


@pytest.mark.parametrize(
    "when",
    [
        '{ voice = "robot" }',
        '{ not = { voice = "person", country = "US" } }',
        '{ any = [{ voice = "robot" }, { country = "GB" }] }',
        '{ voice = "robot", all = [{ voice = "robot" }] }',
    ],
)
def test_voice_condition_alone_may_not_reject(when: str) -> None:
    with pytest.raises(PolicyError):
        policy_with(when, "reject")
    assert policy_with(when, "challenge").rules


@pytest.mark.parametrize(
    "when",
    [
        '{ voice = "robot", listed = "ftc" }',
        '{ any = [{ voice = "robot", country = "GB" }, { country = "CA" }] }',
        '{ all = [{ voice = "robot" }, { level_at_least = "warn" }] }',
    ],
)
def test_voice_with_another_condition_may_reject(when: str) -> None:
    assert policy_with(when, "reject").rules
