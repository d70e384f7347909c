"""API endpoints of policies: list, show, check, test on cases, and activate."""

import sqlite3

import msgspec

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.policy import central, operations
from callsieve.policy.catalogue import PolicyFile, policy_files
from callsieve.policy.central import AcceptRequest, PolicyAccepted, PublishRequest
from callsieve.policy.operations import TextRequest
from callsieve.policy.records import TEXT_CHARACTERS, CasesTried, PolicyName, PolicyText, cases_tried, usable
from callsieve.policy.views import DraftChecked, PolicyShown, checked, policy_shown
from callsieve.settings import Loaded
from callsieve.wiring import policies_of
from policies.cases import Tried, read_trials, run_trial
from policies.loader import load_policy
from policies.policy import Policy, PolicyError, PolicySet
from reputation.users import Role, Scope

MOST_BYTES = 12 * TEXT_CHARACTERS + 4096  # worst case: each character as two JSON escapes
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


class PolicyDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text of a policy to check."""

    text: PolicyText


class PolicyCases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Test cases for a policy.

    Attributes:
        cases: The cases, as TOML.
        policy: The policy for cases that do not name a policy; null for the active policy.
    """

    cases: PolicyText
    policy: PolicyName | None = None


async def find_policies(req: ApiRequest, request: PageQuery) -> ResultPage[PolicyFile]:
    """Return the available policies, sorted by name."""
    policies = await req.in_thread(policy_files, req.context.loaded)
    return page_from(policies, request, lambda policy: (policy.name,), lambda policy: policy)


async def show_policy(req: ApiRequest, name: PolicyName) -> PolicyShown:
    """Return a policy, with its rules."""
    return policy_shown(await req.in_thread(_called, name, req.context.loaded))


def check_draft(db: sqlite3.Connection, context: Context, request: PolicyDraft) -> DraftChecked:
    """Return the errors in the text of a policy."""
    return checked(db, request.text, context.loaded)


async def test_cases(req: ApiRequest, request: PolicyCases) -> CasesTried:
    """Return the decisions about test cases. A case is a call with all facts about it."""
    tried = await req.in_thread(_tried, request, req.context.loaded)
    return cases_tried([("", case) for case in tried])


def accept_policy(db: sqlite3.Connection, context: Context, name: PolicyName) -> PolicyAccepted:
    """Accept a policy that another site publishes. The published version replaces the version accepted before."""
    return central.accept(db, context, AcceptRequest(name))


def _called(name: str, loaded: Loaded) -> Policy:
    """Return a policy by its name. Paths are not accepted, so that clients cannot read other files on the server."""
    return usable(lambda: load_policy(name, loaded.policy_directories), name)


def _tried(asked: PolicyCases, loaded: Loaded) -> list[Tried]:
    settings = loaded.settings
    trials, problems = read_trials(asked.cases, settings.numbers.region, settings.reputation.levels)
    if problems:
        raise Refused("bad-cases", "; ".join(map(str, problems)), "cases")
    running: PolicySet | Policy = policies_of(loaded) if asked.policy is None else _called(asked.policy, loaded)
    window = 60.0 * settings.emergency.window_minutes
    try:
        return [run_trial(case, running, lambda name: _called(name, loaded), window) for case in trials]
    except PolicyError as error:
        raise Refused("bad-cases", str(error), "cases") from None


ONE = "/policies/{name}"
ADMIN = (Scope.ADMIN, Role.ADMINISTRATOR)
ENDPOINTS = (
    endpoint("GET", "/policies", find_policies, Scope.READ, Role.VIEWER),
    endpoint("GET", ONE, show_policy, Scope.READ, Role.VIEWER),
    endpoint(
        "POST",
        "/policies",
        operations.activate_text,
        *ADMIN,
        example=TextRequest(POLICY, "premium numbers"),
        status=201,
        most_bytes=MOST_BYTES,
    ),
    endpoint(
        "POST",
        "/policies/check",
        check_draft,
        Scope.READ,
        Role.OPERATOR,
        example=PolicyDraft(POLICY),
        most_bytes=MOST_BYTES,
        changes_nothing=True,
    ),
    endpoint(
        "POST",
        "/policies/test",
        test_cases,
        Scope.READ,
        Role.OPERATOR,
        example=PolicyCases(CASES, "balanced"),
        most_bytes=MOST_BYTES,
        changes_nothing=True,
    ),
    endpoint("POST", f"{ONE}/activate", operations.activate, *ADMIN),
    endpoint("POST", f"{ONE}/accept", accept_policy, *ADMIN),
    endpoint(
        "POST", f"{ONE}/publish", central.publish, *ADMIN, example=PublishRequest("", "office", "premium numbers")
    ),
    endpoint("POST", f"{ONE}/withdraw", central.withdraw, *ADMIN),
)
