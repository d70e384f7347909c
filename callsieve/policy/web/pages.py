"""Policies: the running one as rules that can be read, what else there is, the versions, and going back to one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.policy import operations
from callsieve.policy.catalogue import running_or_settings
from callsieve.policy.versions import versions_of
from callsieve.policy.views import DiffLine, PolicyShown, diff_of, policies_shown, policy_named
from callsieve.settings import Loaded
from callsieve.web.request import NotThere, Visit
from callsieve.web.routes import Page
from policies.loader import NAME, policy_text
from policies.policy import PolicyError
from reputation.users import Role


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies and what is different between their texts."""

    before: str
    after: str
    lines: tuple[DiffLine, ...]


async def show(visit: Visit) -> Response:
    """The page."""
    shown = await asyncio.to_thread(policies_shown, visit.desk.loaded)
    return visit.page("policy/policies.html", policies=shown, drafting=visit.role >= Role.ADMINISTRATOR)


async def show_one(visit: Visit) -> Response:
    """Any policy by its name."""
    shown = await asyncio.to_thread(_named, visit.path("name"), visit.desk.loaded)
    running = running_or_settings(visit.desk.loaded)
    return visit.page("policy/policy.html", policy=shown, is_running=shown.name == running, running=running)


async def compare(visit: Visit) -> Response:
    """What is different between two of them."""
    loaded = visit.desk.loaded
    before, after = (visit.query.get(key, "") for key in ("from", "to"))
    lines = await asyncio.to_thread(lambda: diff_of(_text(before, loaded), _text(after, loaded)))
    return visit.page("policy/policy_diff.html", comparison=Comparison(before, after, lines))


async def put_in_force(visit: Visit) -> Response:
    """Another policy that there is already: an earlier version, a preset, a file. Empty: that of the settings."""
    await visit.perform(operations.activate, visit.form.get("name", ""))
    return visit.go("/policies", "policy-activated")


def _named(name: str, loaded: Loaded) -> PolicyShown:
    if not NAME.fullmatch(name):
        raise NotThere
    try:
        return policy_named(name, loaded)
    except PolicyError as error:
        if name in {version.name for version in versions_of(loaded)}:
            raise Refused("unusable-policy", str(error)) from None
        raise NotThere from None


def _text(name: str, loaded: Loaded) -> str:
    try:
        return policy_text(name, loaded.policy_directories)
    except PolicyError:
        raise NotThere from None


PAGES = (
    Page("GET", "/policies", show, Role.VIEWER),
    Page("GET", "/policies/named/{name}", show_one, Role.VIEWER),
    Page("GET", "/policies/compare", compare, Role.VIEWER),
    Page("POST", "/policies/activate", put_in_force, Role.ADMINISTRATOR),
)
