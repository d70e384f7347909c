"""Console pages about the organisation's other sites: their state, their evidence, and people who work at two sites."""

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.changes.undo import Latest, latest_changes
from callsieve.hub import site_operations
from callsieve.hub.capability import OTHER_SITES
from callsieve.hub.site_operations import IgnoreRequest
from callsieve.hub.views import lag_of, state_of
from callsieve.web.i18n import N_
from callsieve.web.request import Page, PageRequest, undoing
from reputation.store.hub.incoming import ErasureRequest, waiting_erasures
from reputation.store.hub.sites import noted_sites
from reputation.store.other_sites import SiteFigures, all_same, figures_of_sites
from reputation.users import Role
from reputation.wording import Wording

# The results of `state_of`, for the translation catalogues.
STATES = (N_("up"), N_("down"), N_("never seen"), N_("expelled"))


async def show(req: PageRequest) -> Response:
    """Show the sites in the state that the hub process last recorded."""
    sites = [(site, state_of(site), lag_of(site)) for site in await req.read(noted_sites)]
    return req.page("hub/sites.html", sites=sites)


PLACE = "/sites/evidence"
FIELDS = ("site", "reason", "person", "other")


@dataclass(frozen=True, slots=True)
class EvidencePage:
    """The content of the page of other sites' evidence. `erasures` wait for a decision. `people` have several names."""

    sites: tuple[SiteFigures, ...]
    erasures: tuple[ErasureRequest, ...]
    people: tuple[tuple[str, ...], ...]
    latest: tuple[Latest, ...]


async def show_evidence(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the evidence of other sites. `problem`: why a form was rejected."""
    evidence = await req.read(evidence_page)
    typed = {field: req.form.get(field, "") for field in FIELDS}
    about = {"evidence": evidence, "problem": problem, "typed": typed}
    return req.page("hub/evidence.html", 422 if problem else 200, **about)


async def ignore(req: PageRequest) -> Response:
    """Ignore the evidence of a site."""
    try:
        request = IgnoreRequest(req.form.get("site", ""), req.form.get("reason", ""))
        await req.perform(site_operations.ignore, request)
    except Refused as refused:
        return await show_evidence(req, refused.words)
    return req.go(PLACE, "site-ignored")


async def resume(req: PageRequest) -> Response:
    """Count the evidence of an ignored site again."""
    try:
        await req.perform(site_operations.resume, req.form.get("site", ""))
    except Refused as refused:
        return await show_evidence(req, refused.words)
    return req.go(PLACE, "site-resumed")


async def keep(req: PageRequest) -> Response:
    """Keep the data of a number that another site erased."""
    try:
        await req.perform(site_operations.keep, req.form.get("number", ""))
    except Refused as refused:
        return await show_evidence(req, refused.words)
    return req.go(PLACE, "number-kept")


async def same(req: PageRequest) -> Response:
    """Declare that two names at two sites belong to the same person."""
    names = req.form.get("person", "").strip(), req.form.get("other", "").strip()
    try:
        await req.perform(site_operations.same_person, names)
    except Refused as refused:
        return await show_evidence(req, refused.words)
    return req.go(PLACE, "people-same")


async def apart(req: PageRequest) -> Response:
    """Declare that a name belongs to a separate person, which reverts `same`."""
    try:
        await req.perform(site_operations.other_person, req.form.get("person", ""))
    except Refused as refused:
        return await show_evidence(req, refused.words)
    return req.go(PLACE, "people-apart")


def evidence_page(db: sqlite3.Connection) -> EvidencePage:
    """Return the content of the page about other sites' evidence."""
    sites, waiting, people = figures_of_sites(db), waiting_erasures(db), map(tuple, all_same(db))
    return EvidencePage(tuple(sites), tuple(waiting), tuple(people), latest_changes(db, OTHER_SITES))


PAGES = (
    Page("GET", "/sites", show, Role.VIEWER),
    Page("GET", PLACE, show_evidence, Role.OPERATOR),
    Page("POST", f"{PLACE}/ignore", ignore, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/resume", resume, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/keep", keep, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/same", same, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/apart", apart, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/undo", undoing(PLACE, OTHER_SITES), Role.ADMINISTRATOR),
)
