"""Other companies: whose evidence is taken, how each is and how often it was right, and what we publish ourselves."""

from __future__ import annotations

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
# What a refusal begins with: what is wrong says it of a field.
FIELD_NAMES = {"name": N_("The name"), "url": N_("The address"), "key": N_("The key"), "weight": N_("The weight")}


@dataclass(frozen=True, slots=True)
class ExchangePage:
    """The page, and what was changed lately."""

    shown: ExchangeShown
    latest: tuple[Latest, ...]


async def show(req: PageRequest, problem: Refused | None = None, key_id: str = "") -> Response:
    """The page, with what was wrong of what was asked, or the key that is to be compared before it is believed."""
    exchange = await req.read(exchange_page, req.state.loaded, req.now)
    typed = {field: req.form.get(field, "") for field in FIELDS}
    told = None if problem is None else (FIELD_NAMES.get(problem.field, ""), problem.words)
    about = {"exchange": exchange, "problem": told, "typed": typed, "key_id": key_id}
    return req.page("exchange/exchange.html", 422 if problem else 200, **about)


async def subscribe(req: PageRequest) -> Response:
    """Takes a company's evidence, once somebody says that its key was told on another way."""
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
    """Takes it no more."""
    try:
        await req.perform(operations.unsubscribe, req.form.get("name", ""))
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-removed")


async def pause(req: PageRequest) -> Response:
    """Lets nothing count that it says."""
    try:
        await req.perform(operations.disable, SwitchRequest(req.form.get("name", "")))
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-paused")


async def resume(req: PageRequest) -> Response:
    """Lets it count again."""
    try:
        await req.perform(operations.enable, SwitchRequest(req.form.get("name", "")))
    except Refused as refused:
        return await show(req, refused)
    return req.go(PLACE, "company-resumed")


def exchange_page(db: sqlite3.Connection, loaded: Loaded, now: float) -> ExchangePage:
    """What the page shows."""
    return ExchangePage(exchange_shown(db, loaded, now), latest_changes(db, COMPANIES))


def _weight(text: str) -> float:
    """Refused for what is no number."""
    try:
        return float(text.strip().replace(",", ".") or 1)
    except ValueError:
        raise Refused("bad-company", Wording("is a number from 0 to 1"), "weight") from None


PAGES = (
    Page("GET", PLACE, show, Role.VIEWER),
    Page("POST", f"{PLACE}/subscribe", subscribe, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/remove", remove, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/pause", pause, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/resume", resume, Role.ADMINISTRATOR),
    Page("POST", f"{PLACE}/undo", undoing(PLACE, COMPANIES), Role.ADMINISTRATOR),
)
