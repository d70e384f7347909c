"""The page *My account*: the password, the sessions and the second factor.

To turn on the second factor, a user needs the password and a first code; to turn it off, the password and a code.
"""

from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.users import operations
from callsieve.users.operations import OwnPassword, OwnSecondFactor
from callsieve.users.passwords import address_of, hashed, is_password, is_secret, new_secret, step_of
from callsieve.web.access import BROWSER_COOKIE, YEAR_SECONDS, cookie_name, set_cookie
from callsieve.web.connections import network_of
from callsieve.web.i18n import N_
from callsieve.web.request import Page, PageRequest
from callsieve.web.throttle import Throttle
from callsieve.web.tokens import browser_of, browser_token
from reputation.store.users import SecondFactor, password_of, second_factor_of, sessions_of
from reputation.users import LONGEST_NAME, NAME, ConsoleUser, Role, Session
from reputation.wording import Wording

TRIES_OF_AN_ADDRESS = 20  # people may share an address


class TooManyTriesError(Exception):
    """Raised if there were too many failed attempts. `words` say how long to wait."""

    def __init__(self, seconds: int) -> None:
        self.words = Wording("Too many attempts. Try again in {seconds} s.", {"seconds": seconds})
        super().__init__(str(self.words))


class LoginTries:
    """Limits of failed login attempts: by user or browser, and by network address for unknown browsers.

    Wrong codes are counted separately, so that a correct password does not clear them.
    """

    def __init__(self) -> None:
        self.of_user = Throttle()
        self.of_code = Throttle()
        self.of_address = Throttle(TRIES_OF_AN_ADDRESS)


class Try:
    """An attempt to log in. It counts as failed from its creation until `succeeded` is called.

    `stored`: the hash of the user's password; None for an unknown name.

    Raises:
        TooManyTriesError: There were too many failed attempts.
    """

    def __init__(self, req: PageRequest, of_name: Throttle, name: str, stored: str | None) -> None:
        cookie = req.http.cookies.get(cookie_name(BROWSER_COOKIE, req.http), "")
        browser = browser_of(cookie, name, stored) if stored is not None else None
        self._keys = [(of_name, browser or name.lower()[:LONGEST_NAME])]
        if browser is None:
            self._keys.append((req.state.service(LoginTries).of_address, network_of(req.address)))
        wait = max(throttle.wait_seconds(key, req.now) for throttle, key in self._keys)
        if wait > 0:
            raise TooManyTriesError(int(wait) + 1)
        for throttle, key in self._keys:  # before the check, so that parallel attempts count too
            throttle.failed(key, req.now)

    def succeeded(self) -> None:
        """Count the attempt as successful."""
        (own, own_key), *shared = self._keys
        own.succeeded(own_key)
        for throttle, key in shared:
            throttle.take_back(key)


async def check_password(req: PageRequest, name: str, password: str) -> str | None:
    """Return the stored hash if the password matches, else None. Raise TooManyTriesError after too many failures."""
    stored = await req.read(password_of, name) if NAME.fullmatch(name) else None
    this_try = Try(req, req.state.service(LoginTries).of_user, name, stored)
    if not await req.state.hashing(is_password, password, stored):
        return None
    this_try.succeeded()
    return stored


async def check_code(req: PageRequest, name: str, code: str) -> int | None:
    """Return the time step of a correct, unused code, else None. Raise TooManyTriesError after too many failures."""
    this_try = Try(req, req.state.service(LoginTries).of_code, name, await req.read(password_of, name))
    factor = await req.read(second_factor_of, name)
    step = step_of(factor.secret, code, req.now, factor.step) if factor else None
    if step is not None:
        this_try.succeeded()
    return step


def remember_browser(response: Response, req: PageRequest, name: str, stored: str) -> None:
    """Set a cookie that marks this browser as one where the user has logged in. `stored`: the hash of the password."""
    set_cookie(response, req.http, BROWSER_COOKIE, browser_token(name, stored), YEAR_SECONDS)


WRONG = N_("The current password is wrong. Nothing was changed.")
DIFFERENT = N_("The two new passwords are not the same. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class AccountShown:
    """The content of the account page. `here`: the token of the current session."""

    user: ConsoleUser
    sessions: tuple[Session, ...]
    here: str


async def show(req: PageRequest, problem: str | Wording = "", status: int = 422) -> Response:
    """Show the account page."""
    sessions = await req.read(sessions_of, req.me.name)
    shown = AccountShown(req.me, tuple(sessions), req.here.token)
    return req.page("users/account.html", status if problem else 200, account=shown, problem=problem)


async def change_password(req: PageRequest) -> Response:
    """Change the password. The form must contain the current password."""
    name = req.me.name
    try:
        if await check_password(req, name, req.form.get("present", "")) is None:
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
    """End the user's other sessions."""
    await req.perform(operations.log_out_elsewhere, req.here.token)
    return req.go("/account", "others-out")


WRONG_CODE = N_("The password or the code is wrong. Nothing was changed.")


async def show_second_factor(req: PageRequest) -> Response:
    """Show the page of the second factor. A user without a second factor sees a new secret, which is not active yet."""
    return _second_factor_page(req, "" if req.me.has_second_factor else new_secret())


async def turn_on(req: PageRequest) -> Response:
    """Turn on the second factor, with the password and a code from the app."""
    name, secret = req.me.name, req.form.get("secret", "")
    if req.me.has_second_factor:
        raise Refused("on-already", operations.ON_ALREADY)
    if not is_secret(secret):
        return _second_factor_page(req, new_secret(), WRONG_CODE)
    try:
        password = await check_password(req, name, req.form.get("present", ""))
    except TooManyTriesError as error:
        return _second_factor_page(req, secret, error.words, 429)
    step = step_of(secret, req.form.get("code", ""), req.now)
    if password is None or step is None:
        return _second_factor_page(req, secret, WRONG_CODE)
    request = OwnSecondFactor(req.here.token, SecondFactor(secret, step))
    await req.perform(operations.turn_on_second_factor, request)
    return req.go("/account", "second-factor-on")


async def turn_off(req: PageRequest) -> Response:
    """Turn off the second factor."""
    name = req.me.name
    try:
        password = await check_password(req, name, req.form.get("present", ""))
        step = await check_code(req, name, req.form.get("code", "")) if password is not None else None
    except TooManyTriesError as error:
        return _second_factor_page(req, "", error.words, 429)
    if password is None or step is None:
        return _second_factor_page(req, "", WRONG_CODE)

    request = OwnSecondFactor(req.here.token, password=password, step=step)
    await req.perform(operations.turn_off_second_factor, request)
    return req.go("/account", "second-factor-off")


def _second_factor_page(req: PageRequest, secret: str, problem: str | Wording = "", status: int = 422) -> Response:
    address = address_of(secret, req.me.name) if secret else ""
    return req.page(
        "users/second_factor.html", status if problem else 200, secret=secret, address=address, problem=problem
    )


PAGES = (
    Page("GET", "/account", show, Role.VIEWER),
    Page("POST", "/account/password", change_password, Role.VIEWER),
    Page("POST", "/account/sessions", end_others, Role.VIEWER),
    Page("GET", "/account/second-factor", show_second_factor, Role.VIEWER),
    Page("POST", "/account/second-factor", turn_on, Role.VIEWER),
    Page("POST", "/account/second-factor/off", turn_off, Role.VIEWER),
)
