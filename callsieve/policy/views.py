"""What the pages of policies show: rules as people read them, which policy is in force for what, and the versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff

from callsieve.policy.catalogue import in_force, known_names, policies_there, running_or_settings
from callsieve.policy.central import SitePolicy, own_published, site_policies
from callsieve.policy.drafts import PolicyVersion, versions_of, without_head
from callsieve.policy_selection import activated_of
from callsieve.replay.trial import DRAFT, draft_of
from callsieve.settings import Loaded
from callsieve.site_policies import files_there
from policies.engine import CAPS, STEPS
from policies.lint import trusting_rules, unknown_names
from policies.loader import load_policy, policy_text, read_policy
from policies.policy import Policy, PolicyError, PolicyProblem
from policies.reasons import Why
from reputation.store.site import PublishedPolicy

DIFF_LINES = 3


@dataclass(frozen=True, slots=True)
class RuleShown:
    """One rule. `when`: its conditions, each as it is written."""

    name: str
    action: str
    when: tuple[str, ...]
    reason: Why
    label: str


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """A policy as it is read: what is tried before its rules, the rules, and what bounds them; and its text."""

    name: str
    builds_on: tuple[str, ...]
    observe: bool
    default: str
    rules: tuple[RuleShown, ...]
    text: str = ""
    steps: tuple[str, ...] = tuple(step.title for step in STEPS)
    caps: tuple[tuple[str, Why, bool], ...] = tuple(
        (cap.highest.word, Why(cap.reason), cap.only_evidence) for cap in CAPS
    )


@dataclass(frozen=True, slots=True)
class OtherPolicy:
    """A policy that there is. `in_force`: for which calls; `problem`: why it cannot be used."""

    name: str
    where: str
    in_force: tuple[str, ...]
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
    others: tuple[OtherPolicy, ...]
    versions: tuple[PolicyVersion, ...]
    sites: tuple[SitePolicy, ...] = ()
    told: tuple[PublishedPolicy, ...] = ()
    has_hub: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Something wrong with a draft. `line` None: nowhere in particular; else `text` is that line."""

    problem: str
    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft after a look. `policy` None: it cannot be used. `remarks`: what is right and yet never holds, or may
    hit an honest caller."""

    policy: PolicyShown | None
    found: tuple[Found, ...]
    remarks: tuple[str, ...] = ()


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
            rule.reason,
            rule.label or "",
        )
        for rule in policy.rules
    )
    return PolicyShown(policy.name, policy.chain[1:], policy.observe, policy.default.word, rules, text)


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
    return PoliciesShown(
        running=running,
        problem=problem,
        running_name=name,
        settings_name=settings.policy.name,
        activated=activated,
        scopes=tuple((_scope(one.did, one.trunk, one.group), one.policy) for one in settings.scope),
        others=tuple(
            OtherPolicy(name, where, tuple(in_force(name, loaded)), trouble)
            for name, where, trouble in policies_there(loaded, but=written)
        ),
        versions=versions,
        sites=tuple(site_policies(db, loaded)),
        told=tuple(own_published(db)),
        has_hub=bool(loaded.settings.hub.address),
    )


def checked(db: sqlite3.Connection, text: str, loaded: Loaded) -> Checked:
    """All that is wrong with a draft, or how it is read."""
    directories = loaded.policy_directories
    _, problems = read_policy(text, DRAFT, lambda base: load_policy(base, directories))
    if problems:
        return Checked(None, tuple(_found(text, problem) for problem in problems))
    policy = draft_of(text, loaded)
    remarks = (*unknown_names(policy, known_names(loaded, db)), *trusting_rules(policy))
    return Checked(policy_shown(policy, text), (), remarks)


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


def _found(text: str, problem: PolicyProblem) -> Found:
    lines, line = text.split("\n"), problem.line
    return Found(problem.text, line, lines[line - 1].strip() if line is not None and line <= len(lines) else "")


def _scope(did: str | None, trunk: str | None, group: str | None) -> str:
    return f"DID {did}" if did else f"trunk {trunk}" if trunk else f"group {group}"
