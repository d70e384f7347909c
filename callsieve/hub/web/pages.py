"""The sites of the organisation, at a central one: who is up, how far behind, and what they have told."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.hub.views import lag_of, state_of
from callsieve.web.request import PageRequest
from callsieve.web.routes import Page
from callsieve.web.words import N_
from reputation.store.hub.sites import noted_sites
from reputation.users import Role

# What `state_of` says, for the catalogues.
STATES = (N_("up"), N_("down"), N_("never seen"), N_("expelled"))


async def show(req: PageRequest) -> Response:
    """As the hub's process has noted them last."""
    sites = [(one, state_of(one), lag_of(one)) for one in await req.read(noted_sites)]
    return req.page("hub/sites.html", sites=sites)


PAGES = (Page("GET", "/sites", show, Role.VIEWER),)
