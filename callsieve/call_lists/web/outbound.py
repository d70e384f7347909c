"""What the outbound guard did on a day, as `callsieve own comply`: rules with their sources, and what it missed."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from callsieve.call_lists.comply import DayProof, day_bounds, proof_of_day, proof_page
from callsieve.text.times import day
from callsieve.web.request import PageRequest, as_file
from callsieve.web.routes import Page
from callsieve.web.security_headers import POLICY_HEADER, policy_with
from reputation.users import Role
from reputation.wording import Wording

MOST_SHOWN = 200
PATH = "/own/outbound"


async def show(req: PageRequest) -> Response:
    """The day that is asked for, or today."""
    typed = req.query.get("day", "").strip()[:40]
    proof, problem = await _proof(req, typed)
    held = [one for one in proof.calls if one.record.would_be != "allow"]
    about = {"proof": proof, "held": held[:MOST_SHOWN], "unguarded": proof.unguarded[:MOST_SHOWN]}
    about |= {"day": typed or day(req.now), "problem": problem, "most": MOST_SHOWN, "of_day": day(proof.first)}
    return req.page("call_lists/outbound.html", 422 if problem else 200, **about)


async def printed(req: PageRequest) -> Response:
    """The same as a page of its own, to print or keep; called numbers are masked."""
    proof, _ = await _proof(req, req.query.get("day", "").strip()[:40])
    page = proof_page(proof, whole_numbers=False)
    if req.query.get("download"):
        return as_file(page, f"callsieve-outbound-{day(proof.first)}.html", "text/html; charset=utf-8")
    style = page.partition("<style>")[2].partition("</style>")[0]
    return HTMLResponse(page, headers={POLICY_HEADER: policy_with(style)})


async def _proof(req: PageRequest, typed: str) -> tuple[DayProof, str | Wording]:
    bounds = day_bounds(typed) if typed else None
    problem = Wording("{day} is no day: write it as 2026-12-31", {"day": typed}) if typed and bounds is None else ""
    first, last = bounds or day_bounds(day(req.now)) or (req.now, req.now)
    settings = req.state.loaded.settings
    return await req.state.slow_store.read(proof_of_day, settings, first, last, req.now), problem


PAGES = (Page("GET", PATH, show, Role.OPERATOR), Page("GET", f"{PATH}/page", printed, Role.OPERATOR))
