"""Pages to log in and out, and the preferences of this browser."""

import logging
from dataclasses import replace

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.users import operations
from callsieve.users.passwords import LASTS_SECONDS, HalfLogin, HalfLogins, hashed, is_outdated
from callsieve.users.web.account import TooManyTriesError, check_code, check_password, remember_browser
from callsieve.web import access
from callsieve.web.i18n import N_
from callsieve.web.request import Page, PageRequest, local_path
from callsieve.web.tokens import hash_of, new_token
from reputation.store.users import all_users, end_session, second_factor_of
from reputation.users import Role, Session
from reputation.wording import Wording

logger = logging.getLogger("callsieve.web")

WRONG = N_("The name or the password is wrong.")
WRONG_CODE = N_("The code is wrong, too old, or was used already. Wait for the next one.")


async def show(req: PageRequest) -> Response:
    """Show the login form."""
    if req.user is not None:
        return req.go(local_path(req.query.get("next")))
    return await _form(req, local_path(req.query.get("next")))


async def log_in(req: PageRequest) -> Response:
    """Check the password, and then the code if the user has a second factor."""
    if "ticket" in req.form:
        return await _second_step(req)
    name, password = req.form.get("name", "").strip(), req.form.get("password", "")
    target = local_path(req.form.get("next"))
    try:
        stored = await check_password(req, name, password)
    except TooManyTriesError as error:
        return await _form(req, target, error.words, name, 429)
    if stored is None:
        logger.warning("console: login failed from %s: wrong name or password", req.address)
        return await _form(req, target, WRONG, name, 401)
    fresh = await req.state.hashing(_hashed_again, password, stored)
    half = HalfLogin(name, stored, fresh, target, req.token, req.now + LASTS_SECONDS)
    if await req.read(second_factor_of, name) is not None:
        return _code_form(req, half)
    return await _logged_in(req, half)


async def _second_step(req: PageRequest) -> Response:
    half = req.state.service(HalfLogins).take(req.form["ticket"], req.token, req.now)
    if half is None:
        return await _form(req, "/", operations.TOO_LATE, status=401)
    try:
        step = await check_code(req, half.name, req.form.get("code", ""))
    except TooManyTriesError as error:
        return _code_form(req, half, error.words, 429)
    if step is None:
        logger.warning("console: login of %s failed from %s: wrong code", half.name, req.address)
        return _code_form(req, half, WRONG_CODE, 401)
    return await _logged_in(req, half, step)


async def _logged_in(req: PageRequest, half: HalfLogin, step: int | None = None) -> Response:
    token, name, now = new_token(), half.name, req.now
    agent = "".join(filter(str.isprintable, req.http.headers.get("user-agent", "")))
    session = Session(hash_of(token), name, now, now, req.address, agent)
    context = replace(req.context, actor=f"{name} (console)", user=name)
    login = operations.Login(session, req.state.lifetime, half.password, half.fresh, step)
    try:
        await req.state.store.write(operations.log_in, context, login)
    except Refused as refused:
        return await _form(req, half.target, refused.words, status=401)
    logger.info("console: %s logged in from %s", name, req.address)
    response = req.go(half.target)
    access.set_cookie(response, req.http, access.COOKIE, token)
    access.drop_cookie(response, req.http, access.LOGIN_COOKIE)
    remember_browser(response, req, name, half.fresh or half.password)
    return response


def _hashed_again(password: str, stored: str) -> str | None:
    try:
        return hashed(password) if is_outdated(stored) else None
    except Refused:  # an old password, shorter than is allowed now
        return None


async def log_out(req: PageRequest) -> Response:
    """End the session."""
    if req.session is not None:
        await req.state.store.write(end_session, req.session.token)
    response = req.go("/login", "logged-out")
    access.drop_cookie(response, req.http, access.COOKIE)
    return response


def _code_form(req: PageRequest, half: HalfLogin, problem: str | Wording = "", status: int = 200) -> Response:
    ticket = req.state.service(HalfLogins).keep(half)
    response = req.page("users/login_code.html", status, ticket=ticket, problem=problem)
    access.set_cookie(response, req.http, access.LOGIN_COOKIE, req.token)
    return response


async def _form(
    req: PageRequest, target: str, problem: str | Wording = "", name: str = "", status: int = 200
) -> Response:
    has_users = bool(await req.read(all_users))
    response = req.page("users/login.html", status, target=target, problem=problem, name=name, has_users=has_users)
    access.set_cookie(response, req.http, access.LOGIN_COOKIE, req.token)
    return response


PAGES = (
    Page("GET", "/login", show, None),
    Page("POST", "/login", log_in, None),
    Page("POST", "/logout", log_out, Role.VIEWER),
    Page("POST", "/preferences", access.prefer, None),
)
