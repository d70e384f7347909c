"""The page of the exchange: each other company with its health and accuracy, and our own publication."""

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.changes.undo import Latest, latest_changes
from callsieve.exchange import operations
from callsieve.exchange.capability import COMPANIES
from callsieve.exchange.operations import SubscribeRequest, table_of
from callsieve.exchange.views import ExchangeShown, exchange_shown
from callsieve.lookups.operations import SwitchRequest
from callsieve.settings import Loaded
from callsieve.signing.keys import PublicKey
from callsieve.web.i18n import N_
from callsieve.web.request import Page, PageRequest, undoing
from reputation.users import Role
from reputation.wording import Wording

PLACE = "/exchange"
FIELDS = ("name", "url", "key", "weight")
# A problem with a field is shown after the field's name.
FIELD_NAMES = {"name": N_("The name"), "url": N_("The address"), "key": N_("The key"), "weight": N_("The weight")}


@dataclass(frozen=True, slots=True)
class ExchangePage:
    """The content of the page of the exchange: the companies, our publication, and the latest changes to companies."""

    shown: ExchangeShown
    latest: tuple[Latest, ...]


async def show(req: PageRequest, problem: Refused | None = None, key_id: str = "") -> Response:
    """Show the exchange. `problem`: why a form was rejected. `key_id`: the id of a key that the user must compare."""
    exchange = await req.read(exchange_page, req.state.loaded, req.now)
    typed = {field: req.form.get(field, "") for field in FIELDS}
    problem_words = None if problem is None else (FIELD_NAMES.get(problem.field, ""), problem.words)
    about = {"exchange": exchange, "problem": problem_words, "typed": typed, "key_id": key_id}
    return req.page("exchange/exchange.html", 422 if problem else 200, **about)


async def subscribe(req: PageRequest) -> Response:
    """Subscribe to a company. Before that, make the user compare the company's key."""
    try:
        name, url, key, weight = (req.form.get(field, "") for field in FIELDS)
        request = SubscribeRequest(name, url, key, _weight(weight))
        key_id = PublicKey.parse(table_of(req.context, request).key).id
        if req.form.get("sure") != key_id:
            return await show(req, key_id=key_id)
        await req.perform(operations.subscribe, request)
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-added")


async def remove(req: PageRequest) -> Response:
    """Unsubscribe from a company. From then on, its evidence does not count."""
    try:
        await req.perform(operations.unsubscribe, req.form.get("name", ""))
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-removed")


async def pause(req: PageRequest) -> Response:
    """Pause a company: its evidence does not count, and no new evidence is fetched."""
    try:
        await req.perform(operations.pause, SwitchRequest(req.form.get("name", "")))
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-paused")


async def resume(req: PageRequest) -> Response:
    """Use a paused company's evidence again."""
    try:
        await req.perform(operations.resume, SwitchRequest(req.form.get("name", "")))
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-resumed")


def exchange_page(db: sqlite3.Connection, loaded: Loaded, now: float) -> ExchangePage:
    """Return the content of the page of the exchange."""
    return ExchangePage(exchange_shown(db, loaded, now), latest_changes(db, COMPANIES))


def _weight(text: str) -> float:
    try:
        return float(text.strip().replace(",", ".") or 1)
    except ValueError:
        raise Refused("bad-company", Wording("must be a number from 0 to 1"), "weight") from None


PAGES = (
    Page("GET", PLACE, show, Role.VIEWER),
    Page("POST", f"{PLACE}/subscribe", subscribe, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/remove", remove, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/pause", pause, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/resume", resume, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/undo", undoing(PLACE, COMPANIES), Role.ADMINISTRATOR),
)
