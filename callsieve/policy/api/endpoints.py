"""Policies, for programs: which there are, whether a text is right, how cases are decided, and which is in force."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, Endpoint
from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.policy import central, operations
from callsieve.policy.catalogue import policies_as_json
from callsieve.policy.drafts import NOTE_CHARACTERS
from callsieve.policy.operations import Activation, TextRequest
from callsieve.policy.records import policy_as_json, tried_as_json, usable
from callsieve.policy.views import Checked, checked
from callsieve.settings import Loaded
from callsieve.wiring import policies_of
from policies.cases import Tried, read_trials, run_trial
from policies.loader import load_policy
from policies.policy import Policy, PolicyError, PolicySet
from reputation.users import Role, Scope

TEXT_CHARACTERS = 60_000
MOST_BYTES = 12 * TEXT_CHARACTERS + 4096  # each as two escapes of JSON, at worst
PolicyText = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS, description="TOML.")]
POLICY = """\
extends = "balanced"

[[rule]]
name = "premium"
when = { prefix = ["+1900"] }
action = "reject"
reason = "premium numbers do not call"
"""
CASES = """\
[[case]]
name = "a stranger"
call = { caller = "+12015550123" }
expect = { action = "allow" }
"""


class PolicyFile(ApiStruct, frozen=True):
    """A policy. `where`: preset, or its file; `problem`: why it cannot be used, empty if it can.

    `site`: the other site that published it, empty for ours.
    """

    name: str
    where: str
    site: str
    in_force_for: list[str]
    problem: str


class PolicyRule(ApiStruct, frozen=True):
    """A rule; the first that holds decides."""

    name: str
    when: list[str]
    action: str
    reason: str
    label: str | None
    ask: str | None


class PolicyRecord(ApiStruct, frozen=True):
    """A policy, as `callsieve policy show --json` has it. `chain`: itself, and what it extends."""

    name: str
    chain: list[str]
    observe: bool
    default: str
    rules: list[PolicyRule]


class PolicyDraft(ApiStruct, frozen=True):
    """The text of a policy."""

    text: PolicyText


class DraftProblem(ApiStruct, frozen=True):
    """Something wrong with it, and in which line, where it is one."""

    problem: str
    line: int | None
    text: str


class DraftChecked(ApiStruct, frozen=True):
    """Whether it can be used. `remarks`: what is right and yet never holds, or may hit an honest caller."""

    usable: bool
    problems: list[DraftProblem]
    remarks: list[str]


class PolicyCases(ApiStruct, frozen=True):
    """Cases, and the policy for those that name none; null: what is in force."""

    cases: PolicyText
    policy: Annotated[str, Meta(max_length=128)] | None = None


class CaseDifference(ApiStruct, frozen=True):
    """What was expected, and what came."""

    key: str
    expected: Any
    found: Any


class CaseTried(ApiStruct, frozen=True):
    """What a case is decided."""

    file: str
    name: str
    passed: bool
    differs: list[CaseDifference]
    policy: str
    action: str
    would_be: str
    rule: str
    reason: str
    step: int
    capped_by: str | None


class CasesTried(ApiStruct, frozen=True):
    """All cases, as `callsieve policy test --json` has them."""

    cases: int
    failed: int
    tried: list[CaseTried]


class NewPolicy(ApiStruct, frozen=True):
    """A policy to be put in force, and why."""

    text: PolicyText
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS)] = ""


class PolicyActivated(ApiStruct, frozen=True):
    """What is in force within two seconds. `observe`: it decides and records, and every call goes on."""

    change_id: ChangeId | None
    policy: str
    observe: bool


class Publishing(ApiStruct, frozen=True):
    """What other sites see it by, empty for its own name, and what is new."""

    publish_as: Annotated[str, Meta(max_length=64)] = ""
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS)] = ""


class PolicyPublished(ApiStruct, frozen=True):
    """A policy of this site that others were told, or are told no more, by the name that they see."""

    change_id: ChangeId | None
    policy: str


class PolicyAccepted(ApiStruct, frozen=True):
    """A policy of another site. `in_force_for`: empty while nothing here names it."""

    change_id: ChangeId | None
    policy: str
    in_force_for: list[str]


async def show(req: ApiRequest[PageQuery, None]) -> ResultPage[dict[str, Any]]:
    """Return all of them, by name."""
    there = await req.in_thread(policies_as_json, req.context.loaded)
    return page_from(there, req.asked.query, lambda one: (one["name"],), lambda one: one)


async def show_one(req: ApiRequest[None, None]) -> dict[str, Any]:
    """One, with its rules."""
    policy = await req.in_thread(_called, req.asked.path["name"], req.context.loaded)
    return policy_as_json(policy)


async def check(req: ApiRequest[None, PolicyDraft]) -> DraftChecked:
    """All that is wrong with a text. Nothing is changed."""
    found: Checked = await req.read(checked, req.asked.body.text, req.context.loaded)
    problems = [DraftProblem(problem=one.problem, line=one.line, text=one.text) for one in found.found]
    return DraftChecked(usable=found.policy is not None, problems=problems, remarks=list(map(str, found.remarks)))


async def test(req: ApiRequest[None, PolicyCases]) -> dict[str, Any]:
    """What cases are decided. Nothing is changed."""
    tried = await req.in_thread(_tried, req.asked.body, req.context.loaded)
    return tried_as_json([("", one) for one in tried])


def activate(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> PolicyActivated:
    """Puts it in force."""
    return _activated(operations.activate(db, context, asked.path["name"]))


def add(db: sqlite3.Connection, context: Context, asked: Asked[None, NewPolicy]) -> PolicyActivated:
    """Makes a text the next version, and puts that in force."""
    new = asked.body
    return _activated(operations.activate_text(db, context, TextRequest(new.text, context.actor, new.note)))


def accept(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> PolicyAccepted:
    """Takes what another site publishes."""
    done = central.accept(db, context, central.AcceptRequest(asked.path["name"]))
    return PolicyAccepted(change_id=done.change_id, policy=done.policy.name, in_force_for=list(done.in_force))


def publish(db: sqlite3.Connection, context: Context, asked: Asked[None, Publishing]) -> PolicyPublished:
    """Tells all other sites."""
    request = central.PublishRequest(asked.path["name"], asked.body.publish_as, asked.body.note)
    return _published(central.publish(db, context, request))


def withdraw(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> PolicyPublished:
    """Tells them no more."""
    return _published(central.withdraw(db, context, asked.path["name"]))


def _published(done: central.Published) -> PolicyPublished:
    return PolicyPublished(change_id=done.change_id, policy=done.policy.name)


def _activated(done: Activation) -> PolicyActivated:
    return PolicyActivated(change_id=done.change_id, policy=done.name, observe=done.policy.observe)


def _called(name: str, loaded: Loaded) -> Policy:
    """By its name alone: a program is shown no other file of this machine."""
    return usable(lambda: load_policy(name, loaded.policy_directories), name)


def _tried(asked: PolicyCases, loaded: Loaded) -> list[Tried]:
    settings = loaded.settings
    trials, problems = read_trials(asked.cases, settings.numbers.region, settings.reputation.levels)
    if problems:
        raise Refused("bad-cases", "; ".join(map(str, problems)), "cases")
    running: PolicySet | Policy = policies_of(loaded) if asked.policy is None else _called(asked.policy, loaded)
    window = 60.0 * settings.emergency.window_minutes
    try:
        return [run_trial(one, running, lambda name: _called(name, loaded), window) for one in trials]
    except PolicyError as error:
        raise Refused("bad-cases", str(error), "cases") from None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/policies",
        show,
        Scope.READ,
        Role.VIEWER,
        ResultPage[PolicyFile],
        "Which policies there are.",
        query=PageQuery,
    ),
    Endpoint("GET", "/policies/{name}", show_one, Scope.READ, Role.VIEWER, PolicyRecord, "A policy, with its rules."),
    Endpoint(
        "POST",
        "/policies",
        add,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        PolicyActivated,
        "Make a text the next version of the policy, and put it in force.",
        body=NewPolicy,
        example=NewPolicy(text=POLICY, note="premium numbers"),
        status=201,
        most_bytes=MOST_BYTES,
    ),
    Endpoint(
        "POST",
        "/policies/check",
        check,
        Scope.READ,
        Role.OPERATOR,
        DraftChecked,
        "Check the text of a policy.",
        body=PolicyDraft,
        example=PolicyDraft(text=POLICY),
        most_bytes=MOST_BYTES,
        keeps_answer=False,
    ),
    Endpoint(
        "POST",
        "/policies/test",
        test,
        Scope.READ,
        Role.OPERATOR,
        CasesTried,
        "Try cases: whether what is expected is decided, given a call and what is known.",
        body=PolicyCases,
        example=PolicyCases(cases=CASES, policy="balanced"),
        most_bytes=MOST_BYTES,
        keeps_answer=False,
    ),
    Endpoint(
        "POST",
        "/policies/{name}/activate",
        activate,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        PolicyActivated,
        "Put a policy in force.",
    ),
    Endpoint(
        "POST",
        "/policies/{name}/accept",
        accept,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        PolicyAccepted,
        "Take what another site publishes of a policy.",
    ),
    Endpoint(
        "POST",
        "/policies/{name}/publish",
        publish,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        PolicyPublished,
        "Tell all sites of the hub a policy.",
        body=Publishing,
        example=Publishing(publish_as="office", note="premium numbers"),
    ),
    Endpoint(
        "POST",
        "/policies/{name}/withdraw",
        withdraw,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        PolicyPublished,
        "Tell other sites a policy no more.",
    ),
)
