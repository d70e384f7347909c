"""Policy files: what is read, and that every error names the file, the rule and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import OWN_RULES, Action
from policies.files import MAX_SHOWN, nearest, shown
from policies.loader import MAX_BYTES, PRESETS, load_policy
from policies.policy import PolicyError
from policies.reasons import Why
from tests.builders import make_policy

RULE = """
[[rule]]
name = "abroad"
when = { not = { country = "US" } }
action = "warn"
reason = "a call from abroad"
"""


def files(directory: Path, **texts: str) -> Path:
    """A directory of policy files by their names."""
    directory.mkdir(exist_ok=True)
    for name, text in texts.items():
        (directory / f"{name}.toml").write_text(text, encoding="utf-8")
    return directory


def refusal(text: str) -> str:
    """What is said about a policy file `house.toml` that cannot be used."""
    with pytest.raises(PolicyError) as refused:
        make_policy(text)
    message = str(refused.value)
    assert message.startswith("house.toml: ")
    return message.removeprefix("house.toml: ")


def test_policy_is_loaded_as_written() -> None:
    policy = make_policy('default = "tag"\nobserve = true\n' + RULE + 'label = "Abroad"')
    assert (policy.name, policy.default, policy.observe, policy.chain) == ("house", Action.TAG, True, ("house",))
    (rule,) = policy.rules
    assert (rule.name, rule.action, str(rule.reason), rule.label) == (
        "abroad",
        Action.WARN,
        "a call from abroad",
        "Abroad",
    )
    assert [condition.text for condition in rule.when] == ['not = { country = "US" }']


@pytest.mark.parametrize("reason", ["!", "x" * 200])
def test_a_reason_may_be_short_or_long(reason: str) -> None:
    assert make_policy(RULE.replace("a call from abroad", reason)).rules[0].reason == Why(reason)


def test_an_empty_file_allows_every_call() -> None:
    policy = make_policy("")
    assert (policy.rules, policy.default, policy.observe) == ((), Action.ALLOW, False)


ERRORS = [
    ("not-toml", "when = {", "not TOML: "),
    ("brackets", "x = " + "[" * 100_000, "not TOML: "),
    ("a-number-of-5000-digits", "observe = " + "9" * 5000, "not TOML: "),
    ("a-hexadecimal-number-as-long", "observe = 0x" + "f" * 5000, "not TOML: "),
    ("unknown-key", "rules = []", "unknown key rules (did you mean rule?)"),
    ("unknown-key-far-off", "x = 1", "unknown key x (allowed: default, extends, observe, rule)"),
    ("observe", 'observe = "yes"', "`observe` must be true or false, not 'yes'"),
    (
        "default",
        'default = "deny"',
        "`default` has the unknown value 'deny' (allowed: allow, challenge, reject, route, tag, ",
    ),
    ("default-near", 'default = "Reject"', "`default` has the unknown value 'Reject' (did you mean reject?)"),
    ("default-number", "default = 5", "`default` has the unknown value 5"),
    ("extends-number", "extends = 5", "`extends` must be a string, not 5"),
    ("extends-unknown", 'extends = "cautius"', "extends: there is no policy 'cautius' (did you mean cautious?)"),
    (
        "extends-path",
        'extends = "../x"',
        "extends: '../x' is not a valid policy name: use lower-case letters, digits, - and _",
    ),
    ("one-rule", "[rule]\nname = 'x'", "the rules are not written as tables: begin each rule with [[rule]]"),
    ("rules-of-words", "rule = ['x']", "the rules are not written as tables: begin each rule with [[rule]]"),
    ("no-name", "[[rule]]\naction = 'tag'", "rule number 1: needs a `name` of lower-case letters, digits, - and _"),
    ("bad-name", RULE + "[[rule]]\nname = 'Not so'", "rule number 2: needs a `name` of lower-case letters"),
    ("no-when", "[[rule]]\nname = 'x'\naction = 'tag'\nreason = 'x'", "rule 'x': needs the key `when`"),
    ("no-action", "[[rule]]\nname = 'x'\nwhen = { diverted = true }\nreason = 'x'", "rule 'x': needs the key `action`"),
    (
        "no-reason",
        "[[rule]]\nname = 'x'\nwhen = { diverted = true }\naction = 'tag'",
        "rule 'x': needs the key `reason`",
    ),
    ("rule-key", RULE + "labels = 'x'", "rule 'abroad': unknown key labels (did you mean label?)"),
    (
        "action",
        RULE.replace('"warn"', '"wran"'),
        "rule 'abroad': `action` has the unknown value 'wran' (did you mean warn?)",
    ),
    ("action-list", RULE.replace('"warn"', '["warn"]'), "rule 'abroad': `action` has the unknown value ['warn']"),
    ("condition", RULE.replace("country", "contry"), "rule 'abroad': unknown condition contry (did you mean country?)"),
    (
        "operand",
        RULE.replace('"US"', "5"),
        "rule 'abroad': condition country must be a string or a list of strings, not 5",
    ),
    ("when-empty", RULE.replace('{ not = { country = "US" } }', "{}"), "rule 'abroad': has no condition"),
    (
        "when-text",
        RULE.replace('{ not = { country = "US" } }', "'x'"),
        "rule 'abroad': the conditions must be a table such as",
    ),
    ("reason-empty", RULE.replace("a call from abroad", ""), "rule 'abroad': `reason` must be one line"),
    ("reason-lines", RULE.replace("a call from", "a call\\nfrom"), "rule 'abroad': `reason` must be one line"),
    ("reason-long", RULE.replace("a call", "x" * 200), "`reason` must be one line of at most 200 characters"),
    ("reason-number", RULE.replace('"a call from abroad"', "5"), "rule 'abroad': `reason` must be one line"),
    ("label-long", RULE + 'label = "sixteen letters!"', "rule 'abroad': `label` must have 1 to 15 ASCII characters"),
    ("label-not-plain", RULE + 'label = "Zürich"', "rule 'abroad': `label` must have 1 to 15 ASCII characters"),
    ("label-lines", RULE + 'label = "a\\nb"', "rule 'abroad': `label` must have"),
    (
        "ask-unknown",
        RULE + 'ask = "nmae"',
        "rule 'abroad': `ask` has the unknown value 'nmae' (did you mean name?): use digit",
    ),
    ("ask-number", RULE + "ask = 5", "rule 'abroad': `ask` has the unknown value"),
    ("ask-whom", RULE + 'ask = "name"', "rule 'abroad': `ask` is allowed only with the action `challenge`"),
    ("label-number", RULE + "label = 5", "rule 'abroad': `label` must have"),
    ("twice", RULE + RULE, "rule 'abroad': another rule has the same name: rename one of them"),
    (
        "unreachable",
        RULE + RULE.replace("abroad", "again"),
        "rule 'again' can never be reached: the earlier rule 'abroad' matches all of its calls: put this rule",
    ),
    *(
        (
            f"own-{name}",
            RULE.replace("abroad", name, 1),
            f"rule '{name}': CallSieve uses this name for its own decisions",
        )
        for name in sorted(OWN_RULES)
    ),
]


@pytest.mark.parametrize(("text", "message"), [pytest.param(text, message, id=name) for name, text, message in ERRORS])
def test_an_error_names_the_file_the_rule_and_the_remedy(text: str, message: str) -> None:
    assert message in refusal(text)


@given(st.text() | st.text("[]{}=\"'.\n rulewhenaction#0", max_size=60))
def test_any_text_is_a_policy_or_a_clean_error(text: str) -> None:
    try:
        make_policy(text)
    except PolicyError as error:
        assert str(error).startswith("house.toml: ")  # noqa: PT017 (both ways are right)


# Files.


def test_a_policy_is_found_in_the_first_directory_that_has_it(tmp_path: Path) -> None:
    console = files(tmp_path / "console", house='default = "tag"')
    own = files(tmp_path / "own", house='default = "warn"', office='default = "route"')
    directories = (tmp_path / "missing", console, own)
    assert load_policy("house", directories).default is Action.TAG
    assert load_policy("office", directories).default is Action.ROUTE


def refused_file(name: str, *directories: Path) -> str:
    with pytest.raises(PolicyError) as refused:
        load_policy(name, directories)
    return str(refused.value)


def test_missing_policy_suggests_a_similar_name(tmp_path: Path) -> None:
    own = files(tmp_path, house="")
    assert refused_file("hose", own).endswith(f"(did you mean house?); looked in {own}")
    allowed = "(allowed: balanced, cautious, observe, strangers, strict)"
    assert f"'xyz' {allowed}" in refused_file("xyz")


@pytest.mark.parametrize("name", ["", "..", "a/b", "House", "house.toml", "-house", "x" * 65])
def test_a_name_is_never_a_path(name: str, tmp_path: Path) -> None:
    assert "not a valid policy name" in refused_file(name, tmp_path)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_file_does_not_hide_a_preset(preset: str, tmp_path: Path) -> None:
    own = files(tmp_path, **{preset: ""})
    expected = f"{own}/{preset}.toml: {preset} is the name of a preset: give the file another name"
    assert refused_file(preset, own) == expected


def test_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_bytes(b'default = "tag" # Z\xfcrich')
    assert refused_file("house", tmp_path) == f"{path}: not UTF-8 at byte 19: save the file as UTF-8"


def test_oversized_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text("#" * (MAX_BYTES + 1))
    assert "262145 bytes" in refused_file("house", tmp_path)
    path.write_text("#" * MAX_BYTES)
    assert load_policy("house", (tmp_path,)).rules == ()


def test_directory_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.mkdir()
    assert re.fullmatch(rf"{path}: .*: Is a directory", refused_file("house", tmp_path))


def test_dangling_link_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.symlink_to(tmp_path / "gone.toml")
    assert re.fullmatch(rf"{path}: .*: No such file.*", refused_file("house", tmp_path))


def test_unreadable_file_is_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = files(tmp_path, house="") / "house.toml"
    path.chmod(0)
    for directory in (tmp_path, *tmp_path.parents):
        if "pytest" in str(directory):
            directory.chmod(0o755)
    request.getfixturevalue("as_nobody")
    assert re.fullmatch(rf"{path}: .*: Permission denied", refused_file("house", tmp_path))


# extends.

BASE = """
default = "tag"
observe = true

[[rule]]
name = "first"
when = { country = "GB" }
action = "warn"
reason = "of the base"

[[rule]]
name = "second"
when = { country = "FR" }
action = "warn"
reason = "of the base"
"""
OWN = """
extends = "base"

[[rule]]
name = "second"
when = { country = "FR" }
action = "reject"
reason = "our own"

[[rule]]
name = "third"
when = { country = "GB" }
action = "route"
reason = "our own"
"""


def test_own_rules_come_first_and_replace_by_name(tmp_path: Path) -> None:
    policy = load_policy("own", (files(tmp_path, base=BASE, own=OWN),))
    assert [(rule.name, str(rule.reason)) for rule in policy.rules] == [
        ("second", "our own"),
        ("third", "our own"),
        ("first", "of the base"),
    ]
    assert (policy.name, policy.chain) == ("own", ("own", "base"))


@pytest.mark.parametrize(
    ("text", "default", "observe"),
    [
        pytest.param('extends = "base"', Action.TAG, True, id="both-of-the-base"),
        pytest.param('extends = "base"\nobserve = false', Action.TAG, False, id="own-observe"),
        pytest.param('extends = "base"\ndefault = "allow"', Action.ALLOW, True, id="own-default"),
    ],
)
def test_default_and_observe_are_inherited(text: str, default: Action, observe: bool, tmp_path: Path) -> None:
    policy = load_policy("own", (files(tmp_path, base=BASE, own=text),))
    assert (policy.default, policy.observe) == (default, observe)


def test_a_file_extends_a_preset_and_another_file() -> None:
    assert make_policy('extends = "strict"').chain == ("house", "strict", "balanced", "cautious")


def test_an_own_rule_may_stand_before_all_of_the_base(tmp_path: Path) -> None:
    """A rule of the base that is never reached then is no mistake: that is what extends is for."""
    own = 'extends = "base"\n' + RULE.replace('{ not = { country = "US" } }', '{ country = ["GB", "FR"] }')
    assert len(load_policy("own", (files(tmp_path, base=BASE, own=own),)).rules) == 3


@pytest.mark.parametrize(
    ("texts", "circle"),
    [
        pytest.param({"a": 'extends = "a"'}, "a -> a", id="itself"),
        pytest.param({"a": 'extends = "b"', "b": 'extends = "a"'}, "a -> b -> a", id="two"),
        pytest.param(
            {"a": 'extends = "b"', "b": 'extends = "c"', "c": 'extends = "b"'}, "a -> b -> c -> b", id="two-of-three"
        ),
    ],
)
def test_circular_extends_is_refused(texts: dict[str, str], circle: str, tmp_path: Path) -> None:
    own = files(tmp_path, **texts)
    message = refused_file("a", own)
    assert message.startswith(f"{own}/a.toml: line 1: extends: ")
    assert f"({circle})" in message


def test_an_error_of_the_base_names_both_files(tmp_path: Path) -> None:
    own = files(tmp_path, base=BASE.replace('"FR"', '"fr"'), own=OWN)
    message = refused_file("own", own)
    assert message.startswith(f"{own}/own.toml: line 2: extends: {own}/base.toml: line 13: rule 'second': ")
    assert message.endswith("(did you mean FR?)")


# Words for errors.


@pytest.mark.parametrize(
    ("word", "allowed", "hint"),
    [
        pytest.param("wran", ["warn", "tag"], " (did you mean warn?)", id="near"),
        pytest.param("WARN", ["warn", "tag"], " (did you mean warn?)", id="capitals"),
        pytest.param("xyz", ["warn", "tag"], " (allowed: tag, warn)", id="far"),
        pytest.param("xyz", [f"word{n}" for n in range(MAX_SHOWN + 1)], "", id="too-many-to-list"),
    ],
)
def test_nearest_word_is_suggested(word: str, allowed: list[str], hint: str) -> None:
    assert nearest(word, allowed) == hint


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_value_is_shown_as_one_short_line(value: object) -> None:
    text = shown(value)
    assert len(text.splitlines()) == 1
    assert len(text) < 25_000
