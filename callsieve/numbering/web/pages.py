"""Console page of the numbering plans: the purpose and source of number ranges, and the latest changes of plans."""

from starlette.responses import Response

from callsieve.numbering.capability import PLANS
from callsieve.numbering.views import PURPOSE_WORDS, plans_shown
from callsieve.web.request import Page, PageRequest, undoing
from reputation.users import Role


async def show(req: PageRequest) -> Response:
    """Show all plans, or the ranges of one `country`."""
    country = req.query.get("country", "").strip()[:2].upper()
    shown = await req.read(plans_shown, req.state.loaded, country, req.now)
    return req.page("numbering/plans.html", shown=shown, purposes=PURPOSE_WORDS)


PAGES = (
    Page("GET", "/plans", show, Role.VIEWER),
    Page("POST", "/plans/undo", undoing("/plans", PLANS), Role.ADMINISTRATOR),
)
