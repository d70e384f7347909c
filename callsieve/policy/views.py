"""What the pages of policies show: rules as people read them, which policy is in force for what, and the versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Annotated

from callsieve.policy.catalogue import PolicyFile, known_names, policy_files, running_or_settings
from callsieve.policy.central import SitePolicy, own_published, site_policies
from callsieve.policy.condition_words import words_of
from callsieve.policy.records import PolicyVersion, versions_of, without_head
from callsieve.policy_selection import activated_of
from callsieve.replay.trial import DRAFT, draft_of
from callsieve.settings import Loaded
from callsieve.site_policies import files_there
from policies.engine import CAPS, STEPS
from policies.lint import trusting_rules, unknown_names
from policies.loader import PRESETS, load_policy, policy_text, read_policy
from policies.policy import Policy, PolicyError, PolicyProblem
from policies.reasons import Why
from reputation.encoding import HIDDEN, told
from reputation.model import ActionWord
from reputation.store.site import PublishedPolicy
from reputation.wording import Wording

DIFF_LINES = 3


@dataclass(frozen=True, slots=True)
class RuleShown:
    """One rule; the first that holds decides.

    Attributes:
        name: Its name.
        action: What it orders.
        when: Its conditions, as they are written.
        label: The prefix that a phone shows; null for that of the settings.
        ask: What a challenge asks for; null where that is left to the settings.
    """

    name: str
    action: ActionWord
    when: tuple[str, ...]
    conditions: Annotated[tuple[tuple[str, str | Wording], ...], HIDDEN]
    why: Annotated[Why, HIDDEN]
    label: str | None
    ask: str | None

    @property
    @told
    def reason(self) -> str:
        """Why, in English."""
        return str(self.why)


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """A policy as it is read.

    Attributes:
        name: Its name.
        chain: Its name, and those of the policies that it extends.
        observe: It decides and records, and every call goes on.
        default: What is done where no rule holds.
        rules: The rules, in the order in which they are tried.
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
        """The policies that it extends."""
        return self.chain[1:]


@dataclass(frozen=True, slots=True)
class PresetCard:
    """A preset as a card: its sentence, and the price, which is named first. `problem`: why it cannot be used."""

    name: str
    sentence: Wording
    price: Wording | None
    problem: str


@dataclass(frozen=True, slots=True)
class PoliciesShown:
    """The page. `running` None: it cannot be used, and `problem` says why. `activated`: it stands beside the settings.

    `scopes`: the policies of single DIDs, trunks and groups. `sites`: policies of other sites; `told`: those that other
    sites are told. `has_hub`: there may be some.
    """

    running: PolicyShown | None
    problem: str
    running_name: str
    settings_name: str
    activated: bool
    scopes: tuple[tuple[str, str], ...]
    presets: tuple[PresetCard, ...]
    others: tuple[PolicyFile, ...]
    versions: tuple[PolicyVersion, ...]
    sites: tuple[SitePolicy, ...] = ()
    told: tuple[PublishedPolicy, ...] = ()
    has_hub: bool = False


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """Something wrong with a draft.

    Attributes:
        problem: What is wrong.
        line: In which line, null for nowhere in particular.
        text: That line.
    """

    problem: str
    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class DraftChecked:
    """A draft after a look.

    Attributes:
        problems: What is wrong.
        remarks: What is right and yet never holds, or may hit an honest caller.
    """

    policy: Annotated[PolicyShown | None, HIDDEN]
    problems: tuple[DraftProblem, ...]
    remarks: tuple[str, ...] = ()

    @property
    @told
    def usable(self) -> bool:
        """Whether it can be used."""
        return self.policy is not None


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff. `kind`: added, removed, same, or place for where it is."""

    kind: str
    text: str


def policy_shown(policy: Policy, text: str = "") -> PolicyShown:
    """The policy as it is read."""
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
    """A policy by its name, with its text. PolicyError."""
    directories = loaded.policy_directories
    return policy_shown(load_policy(name, directories), policy_text(name, directories))


def policies_shown(db: sqlite3.Connection, loaded: Loaded) -> PoliciesShown:
    """The page, from the files as they are now, and from what other sites have told."""
    settings = loaded.settings
    name, running, problem, activated = running_or_settings(loaded), None, "", False
    try:
        activated = activated_of(loaded) is not None
        running = policy_named(name, loaded)
    except PolicyError as error:
        problem = str(error)
    versions = tuple(versions_of(loaded))
    written = {version.name for version in versions} | files_there(loaded)
    files = policy_files(loaded, but=written)
    return PoliciesShown(
        running=running,
        problem=problem,
        running_name=name,
        settings_name=settings.policy.name,
        activated=activated,
        scopes=tuple((_scope(one.did, one.trunk, one.group), one.policy) for one in settings.scope),
        presets=tuple(PresetCard(one.name, *PRESETS[one.name], one.problem) for one in files if one.name in PRESETS),
        others=tuple(one for one in files if one.name not in PRESETS),
        versions=versions,
        sites=tuple(site_policies(db, loaded)),
        told=tuple(own_published(db)),
        has_hub=bool(loaded.settings.hub.address),
    )


def checked(db: sqlite3.Connection, text: str, loaded: Loaded) -> DraftChecked:
    """All that is wrong with a draft, or how it is read."""
    directories = loaded.policy_directories
    _, problems = read_policy(text, DRAFT, lambda base: load_policy(base, directories))
    if problems:
        return DraftChecked(None, tuple(_found(text, problem) for problem in problems))
    policy = draft_of(text, loaded)
    remarks = (*unknown_names(policy, known_names(loaded, db)), *trusting_rules(policy))
    return DraftChecked(policy_shown(policy, text), (), remarks)


def resolved_text(policy: Policy) -> str:
    """Return all rules in the order in which they are tried, with those of the policies that it extends."""
    lines = [f"observe = {str(policy.observe).lower()}", f'default = "{policy.default.word}"']
    for rule in policy.rules:
        lines += ["", "[[rule]]", f'name = "{rule.name}"', *(f"when: {condition.text}" for condition in rule.when)]
        lines += [f'action = "{rule.action.word}"', f'reason = "{rule.reason}"']
        lines += [f'{key} = "{value}"' for key, value in (("label", rule.label), ("ask", rule.ask)) if value]
    return "\n".join(lines)


def diff_of(before: str, after: str) -> tuple[DiffLine, ...]:
    """What is different, with a few lines around it; who wrote a version is not part of it."""
    was, now = (without_head(text).splitlines() for text in (before, after))
    return tuple(_diff_lines(list(unified_diff(was, now, n=DIFF_LINES, lineterm=""))[2:]))


def _diff_lines(lines: Sequence[str]) -> list[DiffLine]:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [DiffLine(kinds.get(line[:1], "same"), line) for line in lines]


def _found(text: str, problem: PolicyProblem) -> DraftProblem:
    lines, line = text.split("\n"), problem.line
    return DraftProblem(problem.text, line, lines[line - 1].strip() if line is not None and line <= len(lines) else "")


def _scope(did: str | None, trunk: str | None, group: str | None) -> str:
    return f"DID {did}" if did else f"trunk {trunk}" if trunk else f"group {group}"
