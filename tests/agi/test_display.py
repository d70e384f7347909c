"""What a phone shows of a caller."""

from __future__ import annotations

from unicodedata import east_asian_width

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.display import CHARACTERS, MAX_PREFIX, TEXTS, Display, label_of, shown_of, tidied, without_prefix
from policies.decision import Action, Decision
from policies.loader import load_policy
from policies.reasons import Why
from reputation.model import Level
from reputation.plan.rows import Purpose
from tests.builders import CALLER, make_call

ENGLISH = Display()


def make_decision(action: Action = Action.TAG, **more: object) -> Decision:
    return Decision(action, "a-rule", Why(""), 8, level=Level.TAG)._replace(**more)  # type: ignore[arg-type]


def tagged(called: str, /, display: Display = ENGLISH, **more: object) -> str:
    return shown_of(make_call()._replace(name=called), make_decision(**more), display).tagged  # type: ignore[arg-type]


def plain(called: str, /, display: Display = ENGLISH, **more: object) -> str:
    decision = make_decision(Action.ALLOW, **more)
    return shown_of(make_call()._replace(name=called), decision, display).plain


# The prefix


@pytest.mark.parametrize(
    ("decision", "label"),
    [
        pytest.param(make_decision(label="Doctor?", category="scam"), "Doctor?", id="a-rules-own"),
        pytest.param(make_decision(label="Withheld"), "Withheld", id="of-a-preset"),
        pytest.param(make_decision(category="scam"), "Scam?", id="by-category"),
        pytest.param(make_decision(Action.WARN, category="telemarketing"), "Sales?", id="sales"),
        pytest.param(make_decision(Action.WARN, category="debt"), "SPAM?", id="another-category"),
        pytest.param(make_decision(), "SPAM?", id="by-evidence"),
        pytest.param(make_decision(rule="storm", label="New number?"), "New number?", id="as-new-numbers-call"),
        pytest.param(
            make_decision(rule="storm", label="New number?", language="zh"), "陌生新号？", id="as-they-call-zh"
        ),
        pytest.param(make_decision(level=Level.NONE, rule="blocklist"), "SPAM?", id="by-the-administrators-list"),
        pytest.param(make_decision(level=Level.NONE), "Unknown", id="no-evidence"),
        pytest.param(make_decision(purpose=Purpose.TELEMARKETING), "Telemarketing", id="by-range"),
        pytest.param(
            make_decision(purpose=Purpose.TELEMARKETING, language="zh"), "营销专用号", id="by-range-in-chinese"
        ),
        pytest.param(make_decision(purpose=Purpose.TELEMARKETING, category="scam"), "Scam?", id="a-list-knows-more"),
        pytest.param(make_decision(purpose=Purpose.TELEMARKETING, label="Sales"), "Sales", id="a-rules-own-wins"),
        pytest.param(make_decision(purpose=Purpose.BANK, level=Level.NONE), "Bank line?", id="a-bank-is-a-question"),
        pytest.param(make_decision(purpose=Purpose.BANK, level=Level.NONE, language="zh"), "银行专线？", id="bank-zh"),
        pytest.param(make_decision(purpose=Purpose.BANK), "SPAM?", id="a-banks-range-hides-no-evidence"),
        pytest.param(
            make_decision(purpose=Purpose.BANK, level=Level.NONE, rule="blocklist"),
            "SPAM?",
            id="a-banks-range-hides-no-block",
        ),
        pytest.param(make_decision(Action.ALLOW, label="Withheld"), "", id="allow-shows-nothing"),
        pytest.param(make_decision(Action.CHALLENGE, label="Withheld"), "", id="challenge-shows-nothing"),
        pytest.param(make_decision(category="fraud", language="zh"), "诈骗？", id="in-the-callees-language"),
        pytest.param(make_decision(label="Withheld", language="zh"), "号码隐藏", id="a-preset-in-the-callees-language"),
        pytest.param(make_decision(label="Doctor?", language="zh"), "Doctor?", id="a-rules-own-as-it-is"),
        pytest.param(make_decision(category="fraud", language="fr"), "Scam?", id="an-unsupported-language"),
    ],
)
def test_each_decision_has_its_label(decision: Decision, label: str) -> None:
    assert label_of(decision, ENGLISH) == label


def test_own_texts_and_the_language_select_the_label() -> None:
    display = Display("zh", own_texts={"en": {"spam": "Junk?"}, "zh": {"withheld": "匿名"}})
    assert label_of(make_decision(language="en"), display) == "Junk?"
    assert label_of(make_decision(), display) == "骚扰？"
    assert label_of(make_decision(label="Withheld"), display) == "匿名"


def test_each_purpose_has_a_label() -> None:
    for purpose in Purpose:
        assert label_of(make_decision(purpose=purpose, level=Level.NONE), ENGLISH) not in ("", "Unknown")


def test_preset_labels_exist_in_every_language() -> None:
    labels = {rule.label for name in ("cautious", "strict") for rule in load_policy(name).rules if rule.label}
    assert labels <= set(TEXTS["en"].values())
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()
    for texts in TEXTS.values():
        assert all(len(text) <= MAX_PREFIX for text in texts.values())


# The whole display


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("Joe", "SPAM? Joe", id="joe"),
        pytest.param("", "SPAM?", id="no-name"),
        pytest.param("unknown", "SPAM?", id="unknown-as-agi-writes-it"),
        pytest.param("SPAM? Joe", "SPAM? Joe", id="marked-before"),
        pytest.param("spam? SPAM?  Joe", "SPAM? Joe", id="twice"),
        pytest.param("Scam? Joe", "SPAM? Joe", id="with-another-one"),
        pytest.param("骚扰？Joe", "SPAM? Joe", id="in-another-language"),
        pytest.param("ＳＰＡＭ？ Joe", "SPAM? Joe", id="full-width"),
        pytest.param("Withheldon Ltd", "SPAM? Withheldon Ltd", id="a-name-that-only-begins-so"),
        pytest.param("Joe\u202eeoJ\x00\n\tX", "SPAM? Joe eoJ X", id="controls"),
        pytest.param("A" * 79, "SPAM? " + "A" * 25 + "…", id="long"),
        pytest.param("王" * 30, "SPAM? " + "王" * 12 + "…", id="chinese-counts-double"),
    ],
)
def test_a_tagged_name_begins_with_the_label(name: str, shown: str) -> None:
    assert tagged(name) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("Joe", "", id="as-the-network-has-it"),
        pytest.param("SPAM? Joe", "", id="another-label"),
        pytest.param("Verified: Your Bank", "Your Bank", id="a-forged-verified-label"),
        pytest.param("verified:VERIFIED: Your Bank", "Your Bank", id="twice"),
        pytest.param("已核实：银行", "银行", id="in-chinese"),
        pytest.param("Verified:", CALLER, id="nothing-else"),
        pytest.param("Verified Ltd", "", id="a-name"),
    ],
)
def test_a_forged_label_is_removed_from_the_name(name: str, shown: str) -> None:
    assert plain(name) == shown


def test_an_observed_call_keeps_its_name() -> None:
    assert plain("Verified: Your Bank", observed=True) == ""


def test_a_verified_business_shows_its_name() -> None:
    assert plain("whatever it says", name="ACME Ltd") == "Verified: ACME Ltd"
    assert plain("", name="ACME Ltd", language="zh") == "已核实：ACME Ltd"
    assert plain("", Display(own_texts={"en": {"verified": ""}}), name="ACME Ltd") == "ACME Ltd"
    assert plain("", name="Associated Chemical Manufacturers of England") == "Verified: Associated Chemical M…"
    assert tagged("x", name="ACME Ltd") == "SPAM? ACME Ltd"


@given(
    name=st.text(max_size=120) | st.sampled_from(["Verified: " * 9, "SPAM? " * 9]),
    characters=st.integers(20, 80),
    more=st.sampled_from([{}, {"name": "ACME Ltd"}, {"language": "zh"}, {"label": "Fifteen letters"}]),
)
def test_a_display_fits_one_line_without_control_characters(name: str, characters: int, more: dict[str, str]) -> None:
    shown = shown_of(make_call()._replace(name=name), make_decision(Action.TAG, **more), Display(characters=characters))
    assert shown.tagged.startswith(shown.label)
    width = sum(2 if east_asian_width(c) in "WF" else 1 for c in shown.tagged)
    assert width <= characters
    assert shown.tagged.isprintable()
    assert shown.plain.isprintable()


@given(st.text(max_size=60))
def test_labelling_twice_adds_one_label(name: str) -> None:
    once = tagged(name)
    assert tagged(once) == once


def test_a_label_is_removed_as_a_whole_word() -> None:
    assert without_prefix("SPAM?Joe", ("SPAM?",)) == "Joe"
    assert without_prefix("Withheld", ("Withheld",)) == ""
    assert tidied("  a  b ") == "a b"
    assert CHARACTERS >= 2 * MAX_PREFIX
