"""My account: the password, and where I am logged in."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.users import operations
from callsieve.users.operations import OwnPassword
from callsieve.users.passwords import hashed
from callsieve.users.web.password_check import TooManyTriesError, look_at_password, remember_browser
from callsieve.web.request import Visit
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


async def show(visit: Visit, problem: str | Wording = "", status: int = 422) -> Response:
    """The page."""
    sessions = await visit.read(sessions_of, visit.me.name)
    shown = AccountShown(visit.me, tuple(sessions), visit.here.token)
    return visit.page("users/account.html", status if problem else 200, account=shown, problem=problem)


async def change_password(visit: Visit) -> Response:
    """Another password, for who knows the present one."""
    name = visit.me.name
    try:
        if await look_at_password(visit, name, visit.form.get("present", "")) is None:
            return await show(visit, WRONG)
    except TooManyTriesError as error:
        return await show(visit, error.words, 429)
    if visit.form.get("new") != visit.form.get("again"):
        return await show(visit, DIFFERENT)
    try:
        fresh = await visit.desk.hashing(lambda: hashed(visit.form.get("new", ""), name=name))
    except Refused as refused:
        return await show(visit, refused.words)
    await visit.perform(operations.change_own_password, OwnPassword(fresh, visit.here.token))
    response = visit.go("/account", "password")
    remember_browser(response, visit, name, fresh)
    return response


async def end_others(visit: Visit) -> Response:
    """Logged out everywhere but here."""
    await visit.perform(operations.log_out_elsewhere, visit.here.token)
    return visit.go("/account", "others-out")


PAGES = (
    Page("GET", "/account", show, Role.VIEWER),
    Page("POST", "/account/password", change_password, Role.VIEWER),
    Page("POST", "/account/sessions", end_others, Role.VIEWER),
)
