"""My second factor: turned on by the password and a first code, and off by the password and a code."""

from __future__ import annotations

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.users import operations
from callsieve.users.operations import OwnSecondFactor
from callsieve.users.second_factor import address_of, is_secret, new_secret, step_of
from callsieve.users.web.account import TooManyTriesError, look_at_code, look_at_password
from callsieve.web.request import PageRequest
from callsieve.web.routes import Page
from callsieve.web.words import N_
from reputation.store.users import SecondFactor
from reputation.users import Role
from reputation.wording import Wording

WRONG = N_("The password or the code is wrong. Nothing was changed.")


async def show(req: PageRequest) -> Response:
    """The page. Who has no second factor yet sees the secret of one that is not in force."""
    return _page(req, "" if req.me.has_second_factor else new_secret())


async def turn_on(req: PageRequest) -> Response:
    """In force from now on, for who knows the password and has put the secret into an app."""
    name, secret = req.me.name, req.form.get("secret", "")
    if req.me.has_second_factor:
        raise Refused("on-already", operations.ON_ALREADY)
    if not is_secret(secret):
        return _page(req, new_secret(), WRONG)
    try:
        password = await look_at_password(req, name, req.form.get("present", ""))
    except TooManyTriesError as error:
        return _page(req, secret, error.words, 429)
    step = step_of(secret, req.form.get("code", ""), req.now)
    if password is None or step is None:
        return _page(req, secret, WRONG)
    request = OwnSecondFactor(req.here.token, SecondFactor(secret, step))
    await req.perform(operations.turn_on_second_factor, request)
    return req.go("/account", "second-factor-on")


async def turn_off(req: PageRequest) -> Response:
    """The password alone is asked for from now on."""
    name = req.me.name
    try:
        password = await look_at_password(req, name, req.form.get("present", ""))
        step = await look_at_code(req, name, req.form.get("code", "")) if password is not None else None
    except TooManyTriesError as error:
        return _page(req, "", error.words, 429)
    if password is None or step is None:
        return _page(req, "", WRONG)

    request = OwnSecondFactor(req.here.token, password=password, step=step)
    await req.perform(operations.turn_off_second_factor, request)
    return req.go("/account", "second-factor-off")


def _page(req: PageRequest, secret: str, problem: str | Wording = "", status: int = 422) -> Response:
    address = address_of(secret, req.me.name) if secret else ""
    return req.page(
        "users/second_factor.html", status if problem else 200, secret=secret, address=address, problem=problem
    )


PAGES = (
    Page("GET", "/account/second-factor", show, Role.VIEWER),
    Page("POST", "/account/second-factor", turn_on, Role.VIEWER),
    Page("POST", "/account/second-factor/off", turn_off, Role.VIEWER),
)
