"""My account: the password, and where I am logged in."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.users import operations
from callsieve.users.operations import OwnPassword
from callsieve.users.passwords import hashed
from callsieve.users.web.password_check import TooManyTriesError, look_at_password, remember_browser
from callsieve.web.request import PageRequest
from callsieve.web.routes import Page
from callsieve.web.words import N_
from reputation.store.users import sessions_of
from reputation.users import ConsoleUser, Role, Session
from reputation.wording import Wording

WRONG = N_("The present password is wrong. Nothing was changed.")
DIFFERENT = N_("The two new passwords are not the same. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class AccountShown:
    """What the page shows. `here` is the session that it is asked in."""

    user: ConsoleUser
    sessions: tuple[Session, ...]
    here: str


async def show(req: PageRequest, problem: str | Wording = "", status: int = 422) -> Response:
    """The page."""
    sessions = await req.read(sessions_of, req.me.name)
    shown = AccountShown(req.me, tuple(sessions), req.here.token)
    return req.page("users/account.html", status if problem else 200, account=shown, problem=problem)


async def change_password(req: PageRequest) -> Response:
    """Another password, for who knows the present one."""
    name = req.me.name
    try:
        if await look_at_password(req, name, req.form.get("present", "")) is None:
            return await show(req, WRONG)
    except TooManyTriesError as error:
        return await show(req, error.words, 429)
    if req.form.get("new") != req.form.get("again"):
        return await show(req, DIFFERENT)
    try:
        fresh = await req.state.hashing(lambda: hashed(req.form.get("new", ""), name=name))
    except Refused as refused:
        return await show(req, refused.words)
    await req.perform(operations.change_own_password, OwnPassword(fresh, req.here.token))
    response = req.go("/account", "password")
    remember_browser(response, req, name, fresh)
    return response


async def end_others(req: PageRequest) -> Response:
    """Logged out everywhere but here."""
    await req.perform(operations.log_out_elsewhere, req.here.token)
    return req.go("/account", "others-out")


PAGES = (
    Page("GET", "/account", show, Role.VIEWER),
    Page("POST", "/account/password", change_password, Role.VIEWER),
    Page("POST", "/account/sessions", end_others, Role.VIEWER),
)
