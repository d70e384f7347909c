"""Spoken texts: keys of the catalogue, and the text in both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.quoting import COMMAND_LIMIT
from agi.speech import (
    LANGUAGES,
    MAX_REASONS,
    REASON_BY_OWN_RULE,
    REASON_BY_RULE,
    RULES_OF_EVIDENCE,
    Phrase,
    appeal_keys,
    explanation_keys,
    language_of,
    number_keys,
    reference_keys,
    sounds_of,
)
from callsieve.prompts.catalogue import prompts_of
from policies.decision import OWN_RULES, Action
from policies.loader import load_policy
from policies.reasons import Reason, Why
from reputation.families.kind import count_key, counted_keys
from reputation.families.table import KIND_BY_NAME
from reputation.model import DecisionRecord, Family, Reputation, SignalCategory, Witnesses
from reputation.numbers import country_of
from reputation.scoring import vector_of
from reputation.site_names import ALPHABET
from tests.callsieve.program import make_record

TEXTS = {language: {key: prompt.text for key, prompt in prompts_of(language).items()} for language in LANGUAGES}


def spoken(keys: tuple[str, ...], language: str = "en") -> str:
    """Return the text of these keys."""
    return (" " if language == "en" else "").join(TEXTS[language][key] for key in keys)


def make_vector(**families: tuple[float, dict[str, int]]) -> str:
    """Make evidence by family, as in the journal. `_` stands for a space."""
    made = (
        Family(name.replace("_", " "), log_odds, tuple(counts.items())) for name, (log_odds, counts) in families.items()
    )
    return vector_of(Reputation(families=tuple(made)))


# Numbers, references, counts


@pytest.mark.parametrize(
    ("number", "english", "mandarin"),
    [
        ("+12017421834", "one two zero one seven four two one eight three four", "幺二零幺七四二幺八三四"),
        ("+8610", "eight six one zero", "八六幺零"),
        ("201", "two zero one", "二零幺"),
        ("", "", ""),
        ("anonymous\r\n", "", ""),
        ("１２", "", ""),
    ],
)
def test_a_number_is_spoken_digit_by_digit(number: str, english: str, mandarin: str) -> None:
    assert spoken(number_keys(number)) == english
    assert spoken(number_keys(number), "zh") == mandarin


def test_a_reference_is_spelled() -> None:
    assert spoken(reference_keys("7KQ2M4XA")) == "seven K Q two M four X A"
    assert len(reference_keys(ALPHABET)) == 12
    for character in ALPHABET:
        assert len(reference_keys(character)) == 1


@pytest.mark.parametrize(
    ("count", "english", "mandarin"),
    [
        (1, "One colleague called it back.", "有一位同事回拨过。"),
        (2, "two colleagues called it back.", "两位同事回拨过。"),
        (12, "twelve colleagues called it back.", "十二位同事回拨过。"),
        (20, "twenty colleagues called it back.", "二十位同事回拨过。"),
        (21, "more than twenty colleagues called it back.", "超过二十位同事回拨过。"),
        (51, "more than fifty colleagues called it back.", "超过五十位同事回拨过。"),
        (100_000, "more than a hundred colleagues called it back.", "超过一百位同事回拨过。"),
        (0, "One colleague called it back.", "有一位同事回拨过。"),
    ],
)
def test_counts_have_a_plural_and_a_measure_word(count: int, english: str, mandarin: str) -> None:
    assert spoken(counted_keys(count, "called-back")) == english
    assert spoken(counted_keys(count, "called-back"), "zh") == mandarin


@pytest.mark.parametrize(
    ("number", "language"),
    [("+12017421834", "en"), ("+8613912345678", "zh"), ("+85221234567", "zh"), ("+886223456789", "zh"), (None, "en")],
)
def test_a_caller_is_spoken_to_in_the_language_of_the_country(number: str | None, language: str) -> None:
    assert language_of(number and country_of(number)) == language
    assert language_of("GB", fallback="zh") == "zh"


def test_the_appeal_prompt_has_reference_and_address() -> None:
    keys = appeal_keys("7KQ2M4XA")
    assert (keys[0], keys[-1], len(keys)) == ("appeal-how", "appeal-address", 10)


# Why was this call treated so?

NO_EVIDENCE = make_vector()
SAMPLE = Why(Reason.DEFAULT, cap=Reason.CONTROL_SAMPLE).kept
EXPLANATIONS = [
    pytest.param(
        make_record(rule="blocklist", action="reject", would_be="reject"),
        "The call ending in one eight three four was turned away. It is on the company's block list.",
        "来电尾号幺八三四已被拒接。它在公司的阻止名单里。",
        id="a-list-decides-alone",
    ),
    pytest.param(
        make_record(
            rule="level-warn",
            action="warn",
            would_be="warn",
            vector=make_vector(
                marks=(2.5, {"marked": 2, "answered": 3, "silent": 1, "groups": 2}), behaviour=(1.2, {"hung-up-on": 3})
            ),
        ),
        "The call ending in one eight three four came with a warning. Of three colleagues who answered, two marked it"
        " as spam. three colleagues hung up within six seconds. Nobody called it back.",
        "来电尾号幺八三四接听时有语音提醒。接过电话的三位同事里，有两位说这是骚扰电话。三位同事六秒内就挂了。没有人回拨。",
        id="evidence-the-heaviest-first",
    ),
    pytest.param(
        make_record(
            rule="level-challenge",
            action="challenge",
            would_be="challenge",
            vector=make_vector(
                behaviour=(2.0, {"one-ring": 1, "voicemail": 1, "called-back": 1}),
                feeds=(3.0, {"spam": 2, "ok": 0}),
                attestation=(1.5, {"failed": 1}),
                identity=(-0.5, {"level 1": 1}),
            ),
        ),
        "The call ending in one eight three four was asked to press a key. two imported lists say that it is spam. One"
        " phone rang only once. Its signature is false.",
        "来电尾号幺八三四需要先按键确认。两份外部名单说它是骚扰电话。有一部电话只响了一声。它的号码签名是假的。",
        id="only-what-speaks-against-it-and-three-at-most",
    ),
    pytest.param(
        make_record(
            rule="default",
            action="allow",
            would_be="allow",
            vector=make_vector(identity=(-1.5, {"level 2": 1}), behaviour=(-2.0, {"called-back": 2, "unanswered": 1})),
        ),
        "The call ending in one eight three four rang as usual. two colleagues called it back. Its owner is verified.",
        "来电尾号幺八三四正常响铃。两位同事回拨过。机主的身份已核实。",
        id="what-speaks-for-an-allowed-call",
    ),
    pytest.param(
        make_record(rule="default", action="allow", would_be="allow", vector=NO_EVIDENCE),
        "The call ending in one eight three four rang as usual. Not enough speaks against it.",
        "来电尾号幺八三四正常响铃。对它不利的记录不够多。",
        id="nothing-is-known",
    ),
    pytest.param(
        make_record(rule="withheld", action="tag", would_be="tag", caller=None, vector=NO_EVIDENCE),
        "The last call was marked on your display. It hid its number.",
        "上一个来电在屏幕上加了标签。对方隐藏了号码。",
        id="withheld",
    ),
    pytest.param(
        make_record(rule="level-tag", action="allow", would_be="tag"),
        "The call ending in one eight three four rang as usual. For now, we only watch. One imported list says that it"
        " is spam.",
        "来电尾号幺八三四正常响铃。目前只观察，不拦截。有一份外部名单说它是骚扰电话。",
        id="observed",
    ),
    pytest.param(
        make_record(
            rule="level-tag", action="tag", would_be="tag", vector=make_vector(plan=(1.5, {"telemarketing": 1}))
        ),
        "The call ending in one eight three four was marked on your display. Its number is one of those kept for"
        " telemarketing.",
        "来电尾号幺八三四在屏幕上加了标签。它的号段专用于营销。",
        id="a-range-for-telemarketing",
    ),
    pytest.param(
        make_record(rule="level-tag", action="tag", would_be="tag", vector=make_vector(plan=(1.5, {"unallocated": 1}))),
        "The call ending in one eight three four was marked on your display. Nobody calls from such a number.",
        "来电尾号幺八三四在屏幕上加了标签。没有人用这样的号码打电话。",
        id="an-unallocated-range",
    ),
    pytest.param(
        make_record(
            rule="level-tag",
            action="tag",
            would_be="tag",
            vector=make_vector(**{"first call": (1.5, {"neighbours": 3})}),
        ),
        "The call ending in one eight three four was marked on your display. Other new numbers called us in the same"
        " way just before.",
        "来电尾号幺八三四在屏幕上加了标签。在它之前，有别的新号码以同样的方式来电。",
        id="one-of-many-new-numbers",
    ),
    pytest.param(
        make_record(rule="level-tag", action="tag", would_be="tag", vector=make_vector(peers=(1.5, {"listed": 2}))),
        "The call ending in one eight three four was marked on your display. People of other companies complain of it.",
        "来电尾号幺八三四在屏幕上加了标签。其他公司的人投诉它。",
        id="what-other-companies-say",
    ),
    pytest.param(
        make_record(rule="no-premium", action="reject", would_be="reject", vector=NO_EVIDENCE),
        "The call ending in one eight three four was turned away. Your administrator has a rule for it.",
        "来电尾号幺八三四已被拒接。管理员为它设了规则。",
        id="a-rule-of-the-administrator",
    ),
    pytest.param(
        make_record(rule="fail-open", action="allow", would_be="allow", vector="not JSON"),
        "The call ending in one eight three four rang as usual. There was no time to check it.",
        "来电尾号幺八三四正常响铃。没有来得及检查。",
        id="fail-open-with-a-damaged-vector",
    ),
    pytest.param(
        make_record(
            rule="level-tag",
            vector=make_vector(
                marks=(3.0, {"marked": 1, "answered": 1, "groups": 1}),
                block=(1.0, {"bad numbers": 4}),
                quiet_hours=(0.5, {}),
            ),
        ),
        "The call ending in one eight three four was marked on your display. The only colleague who answered marked it"
        " as spam. Numbers close to it are known for spam. It came in the quiet hours.",
        "来电尾号幺八三四在屏幕上加了标签。唯一接过电话的同事说这是骚扰电话。相近的号码有骚扰记录。它在免打扰时段打来。",
        id="one-of-one",
    ),
    pytest.param(
        make_record(
            rule="failed-signature",
            vector=make_vector(
                attestation=(1.5, {"failed": 1}), marks=(0.2, {"marked": 40, "answered": 0, "groups": 1})
            ),
        ),
        "The call ending in one eight three four was marked on your display. Its signature is false. more than twenty"
        " colleagues marked it as spam.",
        "来电尾号幺八三四在屏幕上加了标签。它的号码签名是假的。超过二十位同事说这是骚扰电话。",
        id="repeated-counts-are-spoken-once",
    ),
]


@pytest.mark.parametrize(("record", "english", "mandarin"), EXPLANATIONS)
def test_a_decision_is_explained_in_both_languages(record: DecisionRecord, english: str, mandarin: str) -> None:
    keys = explanation_keys(record)
    assert spoken(keys) == english
    assert spoken(keys, "zh") == mandarin


def presets_rules() -> set[str]:
    return {rule.name for name in ("cautious", "balanced", "strict", "observe") for rule in load_policy(name).rules}


def test_every_built_in_rule_has_its_reason() -> None:
    assert set(REASON_BY_OWN_RULE) == OWN_RULES - {"default"}
    assert REASON_BY_RULE.keys() | RULES_OF_EVIDENCE == presets_rules() | {"default"}


COUNTS = st.integers(0, 300)
COUNTS_BY_FAMILY = {
    "marked": ("marked", "answered", "silent", "groups", "burst"),
    "unmarked": ("silent", "marked"),
    "hung up": ("hung-up-on",),
    "missed": ("unanswered",),
    "messages": ("voicemail",),
    "talks": ("long-talk",),
    "wanted": ("called-back", "second-talk", "not-spam", "passed a challenge"),
    "one ring": ("one-ring",),
    "traps": ("verified", "not verified"),
    "marks": ("marked", "answered", "silent", "groups", "burst"),
    "behaviour": tuple(category.value for category in SignalCategory),
    "caller": ("proven", "passed", "failed", "hung up"),
    "block": ("bad numbers",),
    "own block": ("bad numbers",),
    "feeds": ("spam", "ok"),
    "attestation": ("failed", "A", "B", "C"),
    "quiet hours": (),
    "plan": ("telemarketing", "do-not-originate", "unallocated"),
    "carrier label": ("scam likely",),
    "peers": ("listed", "cleared"),
    "first call": ("neighbours", "in a row"),
    "identity": ("level 1", "level 2", "level 3"),
    "from a later version": ("what",),
}


def test_every_family_of_evidence_is_spoken() -> None:
    assert COUNTS_BY_FAMILY.keys() == KIND_BY_NAME.keys() | {"from a later version"}


@st.composite
def families(draw: st.DrawFn) -> list[Family]:
    names = draw(st.lists(st.sampled_from(sorted(COUNTS_BY_FAMILY)), unique=True))
    return [
        Family(
            name,
            draw(st.floats(-5, 5)),
            tuple(draw(st.dictionaries(st.sampled_from(COUNTS_BY_FAMILY[name] or ("x",)), COUNTS)).items()),
        )
        for name in names
    ]


@given(
    families(),
    st.sampled_from([*sorted(OWN_RULES | presets_rules()), "a rule"]),
    st.sampled_from([a.word for a in Action] + ["from a later version"]),
    st.sampled_from([a.word for a in Action]),
    st.sampled_from(["+12017421834", "+999999999999999", None, "", "x"]),
)
def test_every_explanation_uses_the_catalogue_and_is_bounded(
    found: list[Family], rule: str, action: str, would_be: str, caller: str | None
) -> None:
    vector = vector_of(Reputation(families=tuple(found)))
    keys = explanation_keys(make_record(rule=rule, action=action, would_be=would_be, vector=vector, caller=caller))
    assert set(keys) <= TEXTS["en"].keys()
    assert len(keys) <= 6 + 5 * MAX_REASONS
    assert len(sounds_of(keys)) < COMMAND_LIMIT / 4
    assert re.fullmatch(r"callsieve/[a-z0-9-]+(&callsieve/[a-z0-9-]+)*", sounds_of(keys))


def keys_named_in_code() -> Iterator[str]:
    """Return every key that speech.py can speak: the phrases, and those it puts together."""
    yield from Phrase
    yield from chain.from_iterable(reference_keys(c) for c in ALPHABET)
    yield from (count_key(count) for count in range(1, 102))
    yield from (f"explain-{action.word}" for action in Action)
    for kind in KIND_BY_NAME.values():
        names = COUNTS_BY_FAMILY[kind.name]
        for values in product((0, 1, 2), repeat=len(names)):
            counts = {name: value for name, value in zip(names, values, strict=True) if value}
            yield from (key for speaks_for in (True, False) for keys in kind.spoken(counts, speaks_for) for key in keys)


def test_the_spoken_keys_equal_those_of_the_catalogue() -> None:
    """The other scenes are played by the dialplan."""
    scenes = ("explain", "passcode", "count", "digit", "letter")
    assert set(keys_named_in_code()) <= TEXTS["en"].keys()
    assert {key for key in TEXTS["en"] if key.startswith(scenes)} <= set(keys_named_in_code())


def make_witnessed(seen: int, *, marks: float = 2.0, feeds: float = 1.0, **about: Any) -> DecisionRecord:
    """Make a decision about a number with so many witnesses. 5 label it, 12 challenge it."""
    families = (Family("marks", marks, (("marked", 2), ("answered", 2))), Family("feeds", feeds, (("spam", 1),)))
    vector = vector_of(Reputation(families=families, witnesses=Witnesses(seen, 5, 12)))
    return make_record(**{"rule": "level-warn", "action": "warn", "would_be": "warn", "vector": vector, **about})


@pytest.mark.parametrize(
    ("record", "english", "mandarin"),
    [
        pytest.param(
            make_witnessed(7),
            "seven of us noticed something. five are needed.",
            "七位同事发现它有问题，五位才够。",
            id="a-label",
        ),
        pytest.param(
            make_witnessed(13, rule="level-challenge", action="challenge", would_be="challenge"),
            "thirteen of us noticed something. twelve are needed.",
            "十三位同事发现它有问题，十二位才够。",
            id="a-challenge",
        ),
        pytest.param(
            make_witnessed(1, rule="default", action="allow", would_be="allow"),
            "rang as usual. one of us noticed something. five are needed.",
            "正常响铃。一位同事发现它有问题，五位才够。",
            id="too-few",
        ),
        pytest.param(
            make_witnessed(7, action="allow", would_be="allow", reason=SAMPLE),
            "rang as usual. For now, we only watch. seven of us noticed something.",
            "正常响铃。目前只观察，不拦截。七位同事发现它有问题，",
            id="of-the-control-sample",
        ),
    ],
)
def test_the_number_of_witnesses_is_spoken(record: DecisionRecord, english: str, mandarin: str) -> None:
    assert english in spoken(explanation_keys(record))
    assert mandarin in spoken(explanation_keys(record), "zh")


def test_witnesses_are_not_spoken_if_sources_weigh_most() -> None:
    keys = explanation_keys(make_witnessed(7, marks=1.0, feeds=1.5))
    assert Phrase.WITNESSES not in keys
    assert "explain-listed-one" in keys


def test_a_vector_of_an_unknown_format_is_no_evidence() -> None:
    record = make_record(vector=json.dumps({"families": [{"family": "marks"}]}))
    assert spoken(explanation_keys(record)).endswith("Not enough speaks against it.")
