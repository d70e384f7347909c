"""Reads a policy from TOML and checks all of it, so that a policy cannot cause an error during a call."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from policies.conditions import ABOUT_EVIDENCE, KeyPath, implies, only_hints, read_conditions, single_conditions
from policies.decision import ACTION_BY_WORD, ASKS, OWN_RULES, Action
from policies.files import hint, open_regular, places_of, shown
from policies.policy import (
    Condition,
    Policy,
    PolicyError,
    PolicyNotFound,
    PolicyProblem,
    Problems,
    Rule,
    TooManyProblems,
)
from policies.reasons import Why, why_of_rule
from policies.vocabulary import VOCABULARY
from reputation.site_names import SITE
from reputation.wording import Wording


class Preset(NamedTuple):
    """The description of a preset (a policy that comes with CallSieve). `price`: a drawback that users must know."""

    sentence: Wording
    price: Wording | None = None


PRESETS: Mapping[str, Preset] = {
    "observe": Preset(Wording("Only records what would be decided. Every call rings.")),
    "cautious": Preset(
        Wording("Tags suspicious calls, warns the callee about them, and asks likely spam callers to press a digit.")
    ),
    "balanced": Preset(
        Wording("Like the preset `cautious`, but calls with very strong evidence against them go to voicemail.")
    ),
    "strangers": Preset(
        Wording(
            "Like the preset `balanced`. Outside office hours an unknown caller must press a digit, once in 90 days."
        ),
        Wording(
            "If callers are challenged in a quarter of all hours, 2% of honest people who call once or twice do not "
            "get through. If they are challenged at all hours, 7% do not (simulated; the design assumed 2.9 and "
            "8.3%). A new automated caller that you want loses 11% of its calls, or all of them, until somebody "
            "allows it."
        ),
    ),
    "strict": Preset(
        Wording(
            "Like the preset `balanced`. Calls with evidence against them from several groups of people are rejected."
        )
    ),
}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # of a rule, and of a policy of this site
# The policy `office` of the site `berlin` is `berlin:office` as accepted here, `berlin:office.new` as it came, and
# `berlin:office.old` as it was before (callsieve/site_policies.py).
SITE_POLICY = re.compile(rf"(?P<policy>(?P<site>{SITE.pattern}):{NAME.pattern})(?P<which>\.new|\.old)?")
LABEL = re.compile(r"[ -~]{1,15}")  # printable ASCII, and no longer than phones show beside a name
POLICY_KEYS = frozenset({"extends", "observe", "default", "rule"})
RULE_KEYS = frozenset({"name", "when", "action", "reason", "label", "ask"})
MAX_BYTES = (
    1 << 18
)  # twice the size of the largest allowed number of rules; the daemon reads the file while it answers calls
MAX_REASON = 200
MAX_RULES = 500  # each rule is compared with all earlier rules, and a call may try all rules
MAX_CHAIN = 8
_TOML_LINE = re.compile(r" \(at line ([0-9]+), column [0-9]+\)")

T = TypeVar("T")


def load_policy(name: str, directories: Sequence[Path] = ()) -> Policy:
    """Load a preset, or `NAME.toml` from the first directory that has it. Raise PolicyError if it is unusable."""
    return _load(name, directories, chain=())


def _load(name: str, directories: Sequence[Path], chain: tuple[str, ...]) -> Policy:
    if name in chain:
        raise PolicyError(
            Wording(
                "{file}.toml: the policies extend each other in a circle ({chain}): remove one `extends`",
                {"file": chain[-1], "chain": " -> ".join((*chain, name))},
            )
        )
    if not is_policy_name(name):
        raise PolicyNotFound(
            name,
            Wording(
                "{value} is not a valid policy name: use lower-case letters, digits, - and _", {"value": shown(name)}
            ),
        )
    if len(chain) == MAX_CHAIN:
        raise PolicyError(
            Wording(
                "{file}.toml: extends {name}, which makes a chain of more than {most} policies: extend a policy "
                "nearer to a preset",
                {"file": chain[-1], "name": name, "most": MAX_CHAIN},
            )
        )
    text, source = _text_of(name, directories)
    return parse_policy(text, name, source, lambda base: _load(base, directories, (*chain, name)))


def is_policy_name(name: str) -> bool:
    """Return whether `name` is allowed as the name of a policy. A path is never allowed."""
    return bool(NAME.fullmatch(name) or SITE_POLICY.fullmatch(name))


def policy_text(name: str, directories: Sequence[Path] = ()) -> str:
    """Return the text of the policy that `load_policy` would load. Raise PolicyError if no such policy exists."""
    if not is_policy_name(name):
        raise PolicyError(
            Wording(
                "{value} is not a valid policy name: use lower-case letters, digits, - and _", {"value": shown(name)}
            )
        )
    return _text_of(name, directories)[0]


def _text_of(name: str, directories: Sequence[Path]) -> tuple[str, str]:
    own = next((d / f"{name}.toml" for d in directories if os.path.lexists(d / f"{name}.toml")), None)
    if name in PRESETS:
        if own is not None:
            raise PolicyError(
                Wording(
                    "{own}: {name} is the name of a preset: give the file another name", {"own": str(own), "name": name}
                )
            )
        return (files("policies") / "presets" / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml"
    if own is None:
        known = [*PRESETS, *(path.stem for d in directories for path in sorted(d.glob("*.toml")))]
        looked = ", ".join(str(directory) for directory in directories) or "no directory"
        raise PolicyNotFound(
            name,
            Wording("there is no policy {name}{hint}", {"name": repr(name), "hint": hint(name, known)}),
            Wording("; looked in {looked}", {"looked": looked}),
        )
    return read_text(own), str(own)


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file of policies or test cases. Raise PolicyError if it cannot be read or is too long."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            raw = file.read(max_bytes + 1)
    except OSError as error:
        raise PolicyError(
            Wording("{path}: cannot be read: {problem}", {"path": str(path), "problem": str(error.strerror)})
        ) from None
    if len(raw) > max_bytes:
        raise PolicyError(
            Wording(
                "{path}: the file has {bytes} bytes, but at most {most} are allowed",
                {"path": str(path), "bytes": max(size, len(raw)), "most": max_bytes},
            )
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(
            Wording(
                "{path}: not UTF-8 at byte {place}: save the file as UTF-8",
                {"path": str(path), "place": error.start},
            )
        ) from None


BaseOf = Callable[[str], Policy]


def parse_policy(text: str, name: str, source: str, base_of: BaseOf) -> Policy:
    """Return the policy in a text. `source`: the file name for errors. `base_of`: loads the policy that is extended."""
    policy, problems = read_policy(text, name, base_of)
    if policy is None:
        count = len(problems) - 1
        more = Wording(" (and {count} more: run `callsieve policy check`)", {"count": count}) if count else ""
        raise PolicyError(
            Wording("{source}: {problem}{more}", {"source": source, "problem": problems[0].words, "more": more})
        )
    return policy


def read_policy(text: str, name: str, base_of: BaseOf) -> tuple[Policy | None, list[PolicyProblem]]:
    """Return the policy in a text, or None and all errors in the order of the text."""
    return read_toml(text, lambda table, problems: _policy_from(table, name, base_of, problems))


def read_toml(
    text: str, read: Callable[[Mapping[str, Any], Problems], T | None]
) -> tuple[T | None, list[PolicyProblem]]:
    """Parse a TOML text and return the result of `read` for it, or all errors with their lines, in text order."""
    problems, made = Problems(), None
    try:
        places = places_of(text)
        table = tomllib.loads(text)
        with suppress(TooManyProblems):
            made = read(table, problems)
    except PolicyError as error:
        return None, [PolicyProblem(error.words)]
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; numbers of 5000 digits; 1000 brackets in a row
        line = line_of_toml_error(error, text)
        return None, [
            PolicyProblem(Wording("not TOML: {problem}", {"problem": _TOML_LINE.sub("", str(error))}), line=line)
        ]
    if not problems:
        return made, []
    placed = [replace(problem, line=places.line_of(problem.path)) for problem in problems]
    return None, sorted(placed, key=lambda problem: problem.line or 0)


def line_of_toml_error(error: Exception, text: str) -> int | None:
    """Return on which line a TOML error is, or None. Before Python 3.14 only the error's message has the line."""
    lines = max(1, len(text.splitlines()))
    line: int | None = getattr(error, "lineno", None)
    if line is not None:
        return min(line, lines)
    if match := _TOML_LINE.search(str(error)):
        return int(match[1])
    return lines if "at end of document" in str(error) else None


def _policy_from(table: Mapping[str, Any], name: str, base_of: BaseOf, problems: Problems) -> Policy:
    for key in (key for key in table if key not in POLICY_KEYS):
        problems.add(Wording("unknown key {key}{hint}", {"key": key, "hint": hint(key, POLICY_KEYS)}), (key,))
    base = _read(problems, ("extends",), _base, table, base_of) or Policy("")
    observe = _read(problems, ("observe",), _observe, table.get("observe", base.observe))
    default = _read(problems, ("default",), _action, table["default"], "default") if "default" in table else None
    rules = _rules_from(table.get("rule", []), problems)
    names = {rule.name for rule in rules}
    rules = (*rules, *(rule for rule in base.rules if rule.name not in names))
    return Policy(
        name=name,
        rules=rules,
        default=base.default if default is None else default,
        observe=bool(observe),
        chain=(name, *base.chain),
        conditions=frozenset(condition.name for rule in rules for condition in single_conditions(rule.when)),
    )


def _read(
    problems: Problems, path: KeyPath, read: Callable[..., T], *arguments: Any, about: str | Wording = ""
) -> T | None:
    try:
        return read(*arguments)
    except PolicyError as error:
        problems.add(Wording("{about}{problem}", {"about": about, "problem": error.words}), path)
        return None


def _base(table: Mapping[str, Any], base_of: BaseOf) -> Policy | None:
    extends = table.get("extends")
    if extends is None:
        return None
    if not isinstance(extends, str):
        raise PolicyError(Wording("`extends` must be a string, not {value}", {"value": shown(extends)}))
    try:
        return base_of(extends)
    except PolicyError as error:
        raise PolicyError(Wording("extends: {problem}", {"problem": error.words})) from None


def _observe(value: Any) -> bool:
    if not isinstance(value, bool):
        raise PolicyError(Wording("`observe` must be true or false, not {value}", {"value": shown(value)}))
    return value


def _rules_from(tables: Any, problems: Problems) -> tuple[Rule, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.add(Wording("the rules are not written as tables: begin each rule with [[rule]]"), ("rule",))
        return ()
    if len(tables) > MAX_RULES:
        problems.add(
            Wording(
                "the policy has {count} rules, but at most {most} are allowed: put numbers into lists, "
                "or several values into one condition",
                {"count": len(tables), "most": MAX_RULES},
            ),
            ("rule", MAX_RULES),
        )
        return ()
    rules: list[Rule] = []
    for place, table in enumerate(tables):
        rule = _rule_from(table, place, problems)
        if rule is not None and _fits(rule, rules, place, problems):
            rules.append(rule)
    return tuple(rules)


def _fits(rule: Rule, before: Sequence[Rule], place: int, problems: Problems) -> bool:
    for earlier in before:
        if earlier.name == rule.name:
            problems.add(
                Wording("rule '{rule}': another rule has the same name: rename one of them", {"rule": rule.name}),
                ("rule", place, "name"),
            )
            return False
        if implies(rule.when, earlier.when):
            problems.add(
                Wording(
                    "rule '{rule}' can never be reached: the earlier rule '{earlier}' matches all of its calls:"
                    " put this rule first, or remove it",
                    {"rule": rule.name, "earlier": earlier.name},
                ),
                ("rule", place, "when"),
            )
            return False
    return True


def _rule_from(table: Mapping[str, Any], place: int, problems: Problems) -> Rule | None:
    path, before = ("rule", place), len(problems)
    name = _read(problems, (*path, "name"), _name, table.get("name"), place + 1)
    about = (
        Wording("rule '{rule}': ", {"rule": name}) if name else Wording("rule number {number}: ", {"number": place + 1})
    )

    def read(key: str, reader: Callable[..., T], *arguments: Any) -> T | None:
        return _read(problems, (*path, key), reader, *arguments, about=about)

    for key in (key for key in table if key not in RULE_KEYS):
        problems.add(
            Wording("{about}unknown key {key}{hint}", {"about": about, "key": key, "hint": hint(key, RULE_KEYS)}),
            (*path, key),
        )
    for key in ("when", "action", "reason"):
        if key not in table:
            problems.add(Wording("{about}needs the key `{key}`", {"about": about, "key": key}), (*path, "name"))
    when = _when(table["when"], (*path, "when"), about, problems) if "when" in table else ()
    action = read("action", _action, table["action"], "action") if "action" in table else None
    reason = read("reason", _reason, table["reason"]) if "reason" in table else None
    label, ask = read("label", _label, table.get("label")), read("ask", _ask, table)
    if action is Action.REJECT and when and only_hints(when):
        hints = ", ".join(sorted({condition.name for condition in single_conditions(when)}))
        problems.add(
            Wording(
                "{about}{condition} must not be the only reason to reject: add another condition",
                {"about": about, "condition": hints},
            ),
            (*path, "when"),
        )
    if len(problems) > before or name is None or action is None or reason is None:
        return None
    label = label or next((label for condition in when if (label := _label_of(condition)) is not None), None)
    about_evidence = any(condition.name in ABOUT_EVIDENCE for condition in single_conditions(when))
    return Rule(name, when, action, reason, label, ask, about_evidence)


def _label_of(condition: Condition) -> str | None:
    word = VOCABULARY.get(condition.name)
    return None if word is None or not word.labels else word.labels.get(condition.operand)


def _when(table: Any, path: KeyPath, about: Wording, problems: Problems) -> tuple[Condition, ...]:
    parts = Problems()
    try:
        return read_conditions(table, path, parts)
    finally:
        for problem in parts:
            problems.add(Wording("{about}{problem}", {"about": about, "problem": problem.text}), problem.path)


def _name(value: Any, number: int) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise PolicyError(
            Wording("rule number {number}: needs a `name` of lower-case letters, digits, - and _", {"number": number})
        )
    if value in OWN_RULES:
        raise PolicyError(
            Wording(
                "rule '{value}': CallSieve uses this name for its own decisions: give the rule another name",
                {"value": value},
            )
        )
    return value


def _action(value: Any, key: str) -> Action:
    if not isinstance(value, str) or value not in ACTION_BY_WORD:
        raise PolicyError(
            Wording(
                "`{key}` has the unknown value {value}{hint}",
                {"key": key, "value": shown(value), "hint": hint(str(value), ACTION_BY_WORD)},
            )
        )
    return ACTION_BY_WORD[value]


def _reason(value: Any) -> Why:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_REASON or not value.isprintable():
        raise PolicyError(
            Wording(
                "`reason` must be one line of at most {most} characters that explains the action", {"most": MAX_REASON}
            )
        )
    return why_of_rule(value)


def _label(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not LABEL.fullmatch(value)):
        raise PolicyError(
            Wording("`label` must have 1 to 15 ASCII characters, because phones show it before the caller's name")
        )
    return value


def _ask(table: Mapping[str, Any]) -> str | None:
    value = table.get("ask")
    if value is None:
        return None
    if not isinstance(value, str) or value not in ASKS:
        raise PolicyError(
            Wording(
                "`ask` has the unknown value {value}{hint}: use {allowed}",
                {"value": shown(value), "hint": hint(str(value), ASKS), "allowed": ", ".join(ASKS)},
            )
        )
    if table.get("action") != Action.CHALLENGE.word:
        raise PolicyError(
            Wording("`ask` is allowed only with the action `challenge`: remove `ask`, or change the action")
        )
    return value
