"""Policies as the console and the API show them: rules, the calls for which they are in force, versions and drafts."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from typing import Annotated, NamedTuple

from callsieve.policy.catalogue import PolicyFile, known_names, policy_files, running_or_settings
from callsieve.policy.central import SitePolicy, own_published, site_policies
from callsieve.policy.condition_words import words_of
from callsieve.policy.records import PolicyVersion, versions_of, without_head
from callsieve.policy_selection import activated_of
from callsieve.replay.trial import DRAFT, draft_of
from callsieve.settings import Loaded
from callsieve.site_policies import site_policy_files
from policies.engine import CAPS, STEPS
from policies.lint import trusting_rules, unknown_names
from policies.loader import PRESETS, load_policy, policy_text, read_policy
from policies.policy import Policy, PolicyError, PolicyProblem
from policies.reasons import Why
from reputation.encoding import HIDDEN, encoded
from reputation.model import ActionWord
from reputation.store.site import PublishedPolicy
from reputation.wording import Wording

DIFF_LINES = 3


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule. The first rule whose conditions hold decides.

    Attributes:
        name: The name of the rule.
        action: The action of the rule.
        when: The conditions, as written.
        label: The tag that the phone shows; null for the tag in the settings.
        ask: The kind of challenge; null for the kind in the settings.
    """

    name: str
    action: ActionWord
    when: tuple[str, ...]
    conditions: Annotated[tuple[tuple[str, str | Wording], ...], HIDDEN]
    why: Annotated[Why, HIDDEN]
    label: str | None
    ask: str | None

    @property
    @encoded
    def reason(self) -> str:
        """The rule's reason, in English."""
        return str(self.why)


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """A policy.

    Attributes:
        name: The name of the policy.
        chain: The names of this policy and of the policies that it extends.
        observe: Whether the policy only observes, so that no call is changed.
        default: The action if no rule matches.
        rules: The rules in their order.
    """

    name: str
    chain: tuple[str, ...]
    observe: bool
    default: ActionWord
    rules: tuple[RuleShown, ...]
    text: Annotated[str, HIDDEN] = ""
    steps: Annotated[tuple[str, ...], HIDDEN] = tuple(step.title for step in STEPS)
    caps: Annotated[tuple[tuple[str, Why, bool], ...], HIDDEN] = tuple(
        (cap.highest.word, Why(cap.reason), cap.only_evidence) for cap in CAPS
    )

    @property
    def builds_on(self) -> tuple[str, ...]:
        """The names of the policies that this policy extends."""
        return self.chain[1:]


@dataclass(frozen=True, slots=True)
class PresetCard:
    """A preset. `sentence`: its description. `price`: its drawback. `problem`: why the preset is unusable, or empty."""

    name: str
    sentence: Wording
    price: Wording | None
    problem: str | Wording


class RuleText(NamedTuple):
    """A preset's rule that can be inserted into a draft. `key`: the names of the preset and the rule."""

    key: str
    preset: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class PoliciesShown:
    """Content of the page of policies.

    Attributes:
        running: The active policy; None if it is unusable.
        problem: Why the active policy is unusable; otherwise empty.
        activated: Whether the active policy replaces the policy in the settings.
        scopes: The DIDs, trunks and groups that have their own policy, each with the policy's name.
        sites: Policies of other sites.
        published: Policies of this site that are published to other sites.
        has_hub: Whether a hub is set up.
    """

    running: PolicyShown | None
    problem: str | Wording
    running_name: str
    settings_name: str
    activated: bool
    scopes: tuple[tuple[str, str], ...]
    presets: tuple[PresetCard, ...]
    others: tuple[PolicyFile, ...]
    versions: tuple[PolicyVersion, ...]
    sites: tuple[SitePolicy, ...] = ()
    published: tuple[PublishedPolicy, ...] = ()
    has_hub: bool = False


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """An error in a draft.

    Attributes:
        problem: The error.
        line: The line number; null if the error concerns no single line.
        text: The text of the line.
    """

    problem: str | Wording
    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class DraftChecked:
    """A checked draft. `problems`: errors. `remarks`: warnings, such as that a rule never matches."""

    policy: Annotated[PolicyShown | None, HIDDEN]
    problems: tuple[DraftProblem, ...]
    remarks: tuple[str, ...] = ()

    @property
    @encoded
    def usable(self) -> bool:
        """Whether the draft is usable."""
        return self.policy is not None


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff. `kind`: `added`, `removed`, `same`, or `place` for a line that gives the position."""

    kind: str
    text: str


def policy_shown(policy: Policy, text: str = "") -> PolicyShown:
    """Return a policy for display. `text`: the text of its file."""
    rules = tuple(
        RuleShown(
            rule.name,
            rule.action.word,
            tuple(condition.text for condition in rule.when),
            tuple((condition.text, words_of(condition)) for condition in rule.when),
            rule.reason,
            rule.label,
            rule.ask,
        )
        for rule in policy.rules
    )
    return PolicyShown(policy.name, policy.chain, policy.observe, policy.default.word, rules, text)


def policy_named(name: str, loaded: Loaded) -> PolicyShown:
    """Return a policy by its name, with its text, for display. Raise PolicyError if it does not exist or is invalid."""
    directories = loaded.policy_directories
    return policy_shown(load_policy(name, directories), policy_text(name, directories))


def policies_shown(db: sqlite3.Connection, loaded: Loaded) -> PoliciesShown:
    """Return the content of the page of policies."""
    settings = loaded.settings
    name, running, activated = running_or_settings(loaded), None, False
    problem: str | Wording = ""
    try:
        activated = activated_of(loaded) is not None
        running = policy_named(name, loaded)
    except PolicyError as error:
        problem = error.words
    versions = tuple(versions_of(loaded))
    written = {version.name for version in versions} | site_policy_files(loaded)
    files = policy_files(loaded, but=written)
    return PoliciesShown(
        running=running,
        problem=problem,
        running_name=name,
        settings_name=settings.policy.name,
        activated=activated,
        scopes=tuple((_scope(scope.did, scope.trunk, scope.group), scope.policy) for scope in settings.scope),
        presets=tuple(
            PresetCard(file.name, *PRESETS[file.name], file.problem) for file in files if file.name in PRESETS
        ),
        others=tuple(file for file in files if file.name not in PRESETS),
        versions=versions,
        sites=tuple(site_policies(db, loaded)),
        published=tuple(own_published(db)),
        has_hub=bool(loaded.settings.hub.address),
    )


def checked(db: sqlite3.Connection, text: str, loaded: Loaded) -> DraftChecked:
    """Return the errors in a draft. If the draft is usable, return the policy and remarks about its rules."""
    directories = loaded.policy_directories
    _, problems = read_policy(text, DRAFT, lambda base: load_policy(base, directories))
    if problems:
        return DraftChecked(None, tuple(_draft_problem(text, problem) for problem in problems))
    policy = draft_of(text, loaded)
    remarks = (*unknown_names(policy, known_names(loaded, db)), *trusting_rules(policy))
    return DraftChecked(policy_shown(policy, text), (), remarks)


@cache
def preset_rules() -> tuple[RuleText, ...]:
    """Return the rules of all presets with their texts, without duplicates."""
    rules: dict[str, RuleText] = {}
    for preset in PRESETS:
        # A comment above a rule belongs to it.
        for text in re.split(r"\n+(?=(?:#[^\n]*\n)*\[\[rule\]\])", policy_text(preset))[1:]:
            name = re.search(r'^name = "([^"]*)"', text, re.MULTILINE)
            if name and text not in {rule.text for rule in rules.values()}:
                key = f"{preset}/{name[1]}"
                rules[key] = RuleText(key, preset, name[1], text)
    return tuple(rules.values())


def resolved_text(policy: Policy) -> str:
    """Return all rules of a policy in order as text, including the rules of policies that it extends."""
    lines = [f"observe = {str(policy.observe).lower()}", f'default = "{policy.default.word}"']
    for rule in policy.rules:
        lines += ["", "[[rule]]", f'name = "{rule.name}"', *(f"when: {condition.text}" for condition in rule.when)]
        lines += [f'action = "{rule.action.word}"', f'reason = "{rule.reason}"']
        lines += [f'{key} = "{value}"' for key, value in (("label", rule.label), ("ask", rule.ask)) if value]
    return "\n".join(lines)


def diff_of(before: str, after: str) -> tuple[DiffLine, ...]:
    """Return a diff of two policy texts with some lines of context, without the line that names the author."""
    was, now = (without_head(text).splitlines() for text in (before, after))
    return tuple(_diff_lines(list(unified_diff(was, now, n=DIFF_LINES, lineterm=""))[2:]))


def _diff_lines(lines: Sequence[str]) -> list[DiffLine]:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [DiffLine(kinds.get(line[:1], "same"), line) for line in lines]


def _draft_problem(text: str, problem: PolicyProblem) -> DraftProblem:
    lines, line = text.split("\n"), problem.line
    return DraftProblem(problem.text, line, lines[line - 1].strip() if line is not None and line <= len(lines) else "")


def _scope(did: str | None, trunk: str | None, group: str | None) -> str:
    return f"DID {did}" if did else f"trunk {trunk}" if trunk else f"group {group}"
