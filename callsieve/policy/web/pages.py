"""Policies: the running one as rules that can be read, what else there is, the versions, and going back to one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.policy import central, operations
from callsieve.policy.catalogue import running_or_settings
from callsieve.policy.drafts import versions_of
from callsieve.policy.views import DiffLine, PolicyShown, diff_of, policies_shown, policy_named, resolved_text
from callsieve.settings import Loaded
from callsieve.web.request import NotFound, Page, PageRequest
from policies.loader import is_policy_name, load_policy, policy_text
from policies.policy import PolicyError
from reputation.users import Role


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies and what is different between them, what they extend with them.

    `is_of_files`: one of them cannot be used, and their texts are compared.
    """

    before: str
    after: str
    lines: tuple[DiffLine, ...]
    is_of_files: bool


async def show(req: PageRequest) -> Response:
    """The page."""
    shown = await req.read(policies_shown, req.state.loaded)
    return req.page("policy/policies.html", policies=shown, drafting=req.role >= Role.ADMINISTRATOR)


async def show_one(req: PageRequest) -> Response:
    """Any policy by its name."""
    shown = await asyncio.to_thread(_named, req.path("name"), req.state.loaded)
    running = running_or_settings(req.state.loaded)
    return req.page("policy/policy.html", policy=shown, is_running=shown.name == running, running=running)


async def compare(req: PageRequest) -> Response:
    """What is different between two of them."""
    before, after = (req.query.get(key, "") for key in ("from", "to"))
    comparison = await asyncio.to_thread(_compared, before, after, req.state.loaded)
    return req.page("policy/policy_diff.html", comparison=comparison)


def _compared(before: str, after: str, loaded: Loaded) -> Comparison:
    texts = _text(before, loaded), _text(after, loaded)
    try:
        was, now = (resolved_text(load_policy(name, loaded.policy_directories)) for name in (before, after))
    except PolicyError:
        return Comparison(before, after, diff_of(*texts), is_of_files=True)
    return Comparison(before, after, diff_of(was, now), is_of_files=False)


async def put_in_force(req: PageRequest) -> Response:
    """Another policy that there is already: an earlier version, a preset, a file. Empty: that of the settings."""
    await req.perform(operations.activate, req.form.get("name", ""))
    return req.go("/policies", "policy-activated")


async def accept(req: PageRequest) -> Response:
    """What another site publishes is the policy of that name here; in force where something names it."""
    request = central.AcceptRequest(req.form.get("name", ""), req.form.get("digest", ""))
    await req.perform(central.accept, request)
    return req.go("/policies", "policy-accepted")


async def publish(req: PageRequest) -> Response:
    """Other sites are told the policy in force."""
    request = central.PublishRequest(publish_as=req.form.get("as", ""), note=req.form.get("note", ""))
    await req.perform(central.publish, request)
    return req.go("/policies", "policy-told")


async def withdraw(req: PageRequest) -> Response:
    """Other sites are told it no more."""
    await req.perform(central.withdraw, req.form.get("name", ""))
    return req.go("/policies", "policy-withdrawn")


def _named(name: str, loaded: Loaded) -> PolicyShown:
    if not is_policy_name(name):
        raise NotFound
    try:
        return policy_named(name, loaded)
    except PolicyError as error:
        if name in {version.name for version in versions_of(loaded)}:
            raise Refused("unusable-policy", str(error)) from None
        raise NotFound from None


def _text(name: str, loaded: Loaded) -> str:
    try:
        return policy_text(name, loaded.policy_directories)
    except PolicyError:
        raise NotFound from None


PAGES = (
    Page("GET", "/policies", show, Role.VIEWER),
    Page("GET", "/policies/named/{name}", show_one, Role.VIEWER),
    Page("GET", "/policies/compare", compare, Role.VIEWER),
    Page("POST", "/policies/activate", put_in_force, Role.ADMINISTRATOR),
    Page("POST", "/policies/accept", accept, Role.ADMINISTRATOR),
    Page("POST", "/policies/publish", publish, Role.ADMINISTRATOR),
    Page("POST", "/policies/withdraw", withdraw, Role.ADMINISTRATOR),
)
