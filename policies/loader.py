"""From TOML to a Policy. Everything is checked here, so that deciding cannot fail on a policy.

An error names the file, the rule and the way out:
    balanced.toml: rule 'known-bad': unknown condition level_atleast (did you mean level_at_least?)
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from policies.conditions import ABOUT_EVIDENCE, implies, read_when, single_conditions
from policies.decision import ACTION_BY_WORD, ASKS, OWN_RULES, Action
from policies.policy import Policy, PolicyError, Rule
from policies.words import nearest, shown

PRESETS = ("observe", "cautious", "balanced", "strict")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
LABEL = re.compile(r"[ -~]{1,15}")  # printable ASCII, and no longer than phones show beside a name
POLICY_KEYS = frozenset({"extends", "observe", "default", "rule"})
RULE_KEYS = frozenset({"name", "when", "action", "reason", "label", "ask"})
MAX_BYTES = 1 << 20
MAX_REASON = 200
TWICE = "the name is used twice"


def load_policy(name: str, directories: Sequence[Path] = ()) -> Policy:
    """A preset, or `NAME.toml` in the first of the directories that has it. PolicyError when it cannot be used."""
    return _load(name, directories, chain=())


def _load(name: str, directories: Sequence[Path], chain: tuple[str, ...]) -> Policy:
    if name in chain:
        raise PolicyError(f"{chain[-1]}.toml: extends goes round in a circle: {' -> '.join((*chain, name))}")
    if not NAME.fullmatch(name):
        raise PolicyError(f"{shown(name)} is not a policy's name: use small letters, digits, - and _")
    text, source = _text_of(name, directories)
    return parse_policy(text, name, source, lambda base: _load(base, directories, (*chain, name)))


def policy_text(name: str, directories: Sequence[Path] = ()) -> str:
    """The text of the policy that `load_policy` would load. PolicyError when there is none."""
    if not NAME.fullmatch(name):
        raise PolicyError(f"{shown(name)} is not a policy's name: use small letters, digits, - and _")
    return _text_of(name, directories)[0]


def _text_of(name: str, directories: Sequence[Path]) -> tuple[str, str]:
    """The text of a policy and the name of its file for errors."""
    own = next((d / f"{name}.toml" for d in directories if os.path.lexists(d / f"{name}.toml")), None)
    if name in PRESETS:
        if own is not None:
            raise PolicyError(f"{own}: {name} is the name of a preset: give the file another name")
        return (files("policies") / "presets" / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml"
    if own is None:
        known = [*PRESETS, *(path.stem for d in directories for path in sorted(d.glob("*.toml")))]
        looked = ", ".join(str(directory) for directory in directories) or "no directory"
        raise PolicyError(f"there is no policy {name!r}{nearest(name, known)}; looked in {looked}")
    return read_text(own), str(own)


def read_text(path: Path) -> str:
    """A policy file, bounded in size."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise PolicyError(f"{path}: larger than {MAX_BYTES} bytes: not a policy")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not UTF-8 at byte {error.start}") from None


def parse_policy(text: str, name: str, source: str, base_of: Callable[[str], Policy]) -> Policy:
    """A policy from its text. `source` is the file's name for errors; `base_of` resolves `extends`."""
    try:
        return _policy_from(tomllib.loads(text), name, base_of)
    except _Located as error:
        raise PolicyError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; numbers of 5000 digits; 1000 brackets in a row
        raise PolicyError(f"{source}: not TOML: {error}") from None


class _Located(PolicyError):
    """An error that already names its rule, but not yet its file."""


def _policy_from(table: Mapping[str, Any], name: str, base_of: Callable[[str], Policy]) -> Policy:
    for key in sorted(table.keys() - POLICY_KEYS):
        raise _Located(f"unknown key {key}{nearest(key, POLICY_KEYS)}")
    extends = _text(table, "extends", None)
    base = _base(extends, base_of) if extends is not None else Policy("")
    observe = table.get("observe", base.observe)
    if not isinstance(observe, bool):
        raise _Located(f"observe takes true or false, not {shown(observe)}")
    rules = _rules_from(table.get("rule", []))
    names = {rule.name for rule in rules}
    return Policy(
        name=name,
        rules=(*rules, *(rule for rule in base.rules if rule.name not in names)),
        default=_action(table["default"], "default") if "default" in table else base.default,
        observe=observe,
        chain=(name, *base.chain),
    )


def _base(name: str, base_of: Callable[[str], Policy]) -> Policy:
    try:
        return base_of(name)
    except PolicyError as error:
        raise _Located(f"extends: {error}") from None


def _rules_from(tables: Any) -> tuple[Rule, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _Located("rules are written as [[rule]] tables")
    rules = tuple(_rule_from(table, position) for position, table in enumerate(tables, start=1))
    for position, rule in enumerate(rules):
        for earlier in rules[:position]:
            if earlier.name == rule.name:
                raise _Located(f"rule '{rule.name}': {TWICE}")
            if implies(rule.when, earlier.when):
                raise _Located(
                    f"rule '{rule.name}': can never be reached: rule '{earlier.name}' before it holds"
                    " wherever it would: put it first, or remove it"
                )
    return rules


def _rule_from(table: Mapping[str, Any], position: int) -> Rule:
    name = table.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _Located(f"rule number {position}: needs a name of small letters, digits, - and _")
    if name in OWN_RULES:
        raise _Located(f"rule '{name}': the name means a decision of CallSieve's own: give the rule another name")
    try:
        for key in sorted(table.keys() - RULE_KEYS):
            raise PolicyError(f"unknown key {key}{nearest(key, RULE_KEYS)}")
        for key in ("when", "action", "reason"):
            if key not in table:
                raise PolicyError(f"needs {key}")
        when = read_when(table["when"])
        return Rule(
            name=name,
            when=when,
            action=_action(table["action"], "action"),
            reason=_reason(table["reason"]),
            label=_label(table.get("label")),
            ask=_ask(table),
            about_evidence=any(one.name in ABOUT_EVIDENCE for one in single_conditions(when)),
        )
    except PolicyError as error:
        raise _Located(f"rule '{name}': {error}") from None


def _action(value: Any, key: str) -> Action:
    if not isinstance(value, str) or value not in ACTION_BY_WORD:
        raise _Located(f"{key} does not know {shown(value)}{nearest(str(value), ACTION_BY_WORD)}")
    return ACTION_BY_WORD[value]


def _reason(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_REASON or not value.isprintable():
        raise PolicyError(f"reason takes one line of at most {MAX_REASON} characters that explains the action")
    return value


def _label(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not LABEL.fullmatch(value)):
        raise PolicyError("label takes at most 15 plain characters, as phones show them before the name")
    return value


def _ask(table: Mapping[str, Any]) -> str | None:
    value = table.get("ask")
    if value is None:
        return None
    if not isinstance(value, str) or value not in ASKS:
        raise PolicyError(f"ask does not know {shown(value)}{nearest(str(value), ASKS)}: use {', '.join(ASKS)}")
    if table["action"] != Action.CHALLENGE.word:
        raise PolicyError("ask is for the action challenge: only then is a caller asked")
    return value


def _text(table: Mapping[str, Any], key: str, default: str | None) -> str | None:
    value = table.get(key, default)
    if value is not None and not isinstance(value, str):
        raise _Located(f"{key} takes a text, not {shown(value)}")
    return value
