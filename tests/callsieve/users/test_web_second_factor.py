"""The second factor: turned on and off by its owner, asked for at the login, and reset by an administrator."""

from __future__ import annotations

import sqlite3

import pytest
from httpx2 import Response
from pyotp import TOTP

from callsieve.users.passwords import LASTS_SECONDS, MOST_KEPT, STEP_SECONDS, HalfLogin, HalfLogins
from callsieve.web.throttle import FREE_TRIES, LONGEST_WAIT_SECONDS
from reputation.store.audit import audit_rows
from reputation.store.users import (
    SecondFactor,
    accept_step,
    all_users,
    second_factor_of,
    sessions_of,
    set_password,
    set_second_factor,
    user_of,
)
from tests.callsieve.browsing import NOW, PASSWORD, Browser, Console, field_of, hashed_password, problem_of

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
WRONG_CODE = "The code is wrong, too old, or was used already."


@pytest.fixture
def otto(console: Console) -> Console:
    """The console, whose operator has a second factor."""
    console.office.write(set_second_factor, "otto", SecondFactor(SECRET, 0))
    return console


def code_of(console: Console, steps: int = 0, secret: str = SECRET) -> str:
    return TOTP(secret).generate_otp(int(console.office.clock.now // STEP_SECONDS) + steps)


def wrong_code(console: Console, secret: str = SECRET) -> str:
    right = {code_of(console, steps, secret) for steps in (-1, 0, 1)}
    return next(code for code in map("{:06}".format, range(10)) if code not in right)


def with_password(browser: Browser, password: str = PASSWORD, target: str = "/", name: str = "otto") -> Response:
    page = browser.text(f"/login?next={target}")
    fields = {"form_token": field_of(page, "form_token"), "next": field_of(page, "next")}
    return browser.client.post("/login", data={**fields, "name": name, "password": password}, follow_redirects=False)


def with_code(browser: Browser, page: Response, code: str) -> Response:
    fields = {name: field_of(page.text, name) for name in ("form_token", "ticket")}
    return browser.client.post("/login", data={**fields, "code": code}, follow_redirects=False)


def is_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def test_session_begins_only_after_the_code(otto: Console) -> None:
    browser = otto.browser()
    asked = with_password(browser, target="/account")
    assert asked.status_code == 200
    assert "callsieve=" not in str(asked.headers.multi_items())
    assert not is_in(browser)
    assert otto.office.read(sessions_of, "otto") == []
    answer = with_code(browser, asked, code_of(otto))
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert is_in(browser)
    (row,) = otto.office.read(audit_rows)
    assert (row.who, row.what) == ("otto (console)", "login")


def test_user_without_a_second_factor_is_not_asked_for_a_code(otto: Console) -> None:
    assert with_password(otto.browser(), name="ada").status_code == 303


def test_wrong_password_does_not_reveal_a_second_factor(otto: Console) -> None:
    texts = set()
    for name in ("otto", "vera", "nobody"):
        answer = with_password(otto.browser(), "wrong horse battery", name=name)
        assert answer.status_code == 401
        texts.add(problem_of(answer.text))
        assert 'name="ticket"' not in answer.text
    [text] = texts
    assert "password is wrong" in text


def test_second_code_needs_no_new_password(otto: Console) -> None:
    browser = otto.browser()
    again = with_code(browser, with_password(browser), wrong_code(otto))
    assert again.status_code == 401
    assert problem_of(again.text).startswith(WRONG_CODE)
    assert not is_in(browser)
    assert with_code(browser, again, code_of(otto)).status_code == 303
    assert is_in(browser)


def test_a_code_counts_once(otto: Console) -> None:
    code = code_of(otto)
    first, second = otto.browser(), otto.browser()
    assert with_code(first, with_password(first), code).status_code == 303
    replayed = with_code(second, with_password(second), code)
    assert replayed.status_code == 401
    assert not is_in(second)
    otto.office.clock.now += STEP_SECONDS
    assert with_code(second, replayed, code).status_code == 401  # still within the window
    third = otto.browser()
    assert with_code(third, with_password(third), code_of(otto)).status_code == 303


def test_simultaneous_logins_with_one_code_succeed_once(otto: Console) -> None:
    """Both codes were looked at before either was accepted."""
    otto.office.write(set_password, "otto", hashed_password(), NOW)
    accepted = [otto.office.write(accept_step, "otto", hashed_password(), step) for step in (7, 7, 6, 8)]
    assert accepted == [True, False, False, True]


def test_ticket_is_one_try_in_one_browser_for_5_minutes(otto: Console) -> None:
    browser, other = otto.browser(), otto.browser()
    asked = with_password(browser)
    assert with_code(browser, asked, wrong_code(otto)).status_code == 401
    assert "Log in again" in problem_of(with_code(browser, asked, code_of(otto)).text)  # it was used

    asked = with_password(browser)
    form = field_of(other.text("/login"), "form_token")
    stolen = {"form_token": form, "ticket": field_of(asked.text, "ticket"), "code": code_of(otto)}
    assert "Log in again" in problem_of(other.client.post("/login", data=stolen, follow_redirects=False).text)
    assert not is_in(other)

    asked = with_password(browser)
    otto.office.clock.now += LASTS_SECONDS / 2
    asked = with_code(browser, asked, wrong_code(otto))
    otto.office.clock.now += LASTS_SECONDS / 2  # a wrong code makes it last no longer
    assert "Log in again" in problem_of(with_code(browser, asked, code_of(otto)).text)
    for ticket in ("", "A" * 43, "x" * 10_000):
        fields = {"form_token": field_of(browser.text("/login"), "form_token"), "ticket": ticket, "code": code_of(otto)}
        assert browser.client.post("/login", data=fields, follow_redirects=False).status_code == 401
    assert not is_in(browser)


def test_a_change_between_the_steps_ends_the_login(otto: Console) -> None:
    def other_password(db: sqlite3.Connection) -> None:
        set_password(db, "otto", hashed_password() + " ", NOW)

    def no_second_factor(db: sqlite3.Connection) -> None:
        set_second_factor(db, "otto", None)

    for change in (other_password, no_second_factor):
        otto.office.write(set_password, "otto", hashed_password(), NOW)
        browser = otto.browser()
        asked = with_password(browser)
        otto.office.write(change)
        assert with_code(browser, asked, code_of(otto)).status_code == 401
        assert not is_in(browser)


def test_guessed_codes_of_others_do_not_lock_the_owner_out(otto: Console) -> None:
    owners = otto.browser()
    assert with_code(owners, with_password(owners), code_of(otto)).status_code == 303
    owners.client.cookies.delete("callsieve")
    thief = otto.browser()
    for _ in range(FREE_TRIES):
        assert with_code(thief, with_password(thief), wrong_code(otto)).status_code == 401
    assert with_code(thief, with_password(thief), code_of(otto, 1)).status_code == 429
    assert with_code(owners, with_password(owners), code_of(otto, 1)).status_code == 303


def test_guessing_codes_is_slowed_down(otto: Console) -> None:
    for attempt in range(FREE_TRIES):
        browser = otto.browser(address=f"192.0.2.{attempt}")
        assert with_code(browser, with_password(browser), wrong_code(otto)).status_code == 401
    browser = otto.browser(address="198.51.100.9")
    refused = with_code(browser, with_password(browser), code_of(otto))
    assert refused.status_code == 429
    assert "Too many attempts" in problem_of(refused.text)
    assert not is_in(browser)
    otto.office.clock.now += LONGEST_WAIT_SECONDS
    assert with_code(browser, with_password(browser), code_of(otto)).status_code == 303


def test_number_of_logins_waiting_for_a_code_is_limited() -> None:
    halves, half = HalfLogins(), HalfLogin("otto", "hash", None, "/", "form", NOW + 1)
    tickets = [halves.keep(half) for _ in range(MOST_KEPT + 1)]
    assert halves.take(tickets[0], "form", NOW) is None
    assert halves.take(tickets[1], "form", NOW) == half


def test_second_factor_is_enabled_and_secret_shown_once(console: Console, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    browser, elsewhere = console.browser("operator"), console.browser("operator")
    page = browser.text("/account/second-factor")
    secret = field_of(page, "secret")
    assert f"otpauth://totp/CallSieve:otto?secret={secret}&amp;issuer=CallSieve" in page
    for present, code in ((PASSWORD, wrong_code(console, secret)), ("wrong", code_of(console, secret=secret))):
        refused = browser.post("/account/second-factor", secret=secret, present=present, code=code)
        assert refused.status_code == 422
        assert field_of(refused.text, "secret") == secret
        assert console.office.read(second_factor_of, "otto") is None
    code = code_of(console, secret=secret)
    account = browser.done("/account/second-factor", secret=secret, present=PASSWORD, code=code).text
    assert "factor is on" in account
    assert not is_in(elsewhere)
    stranger = console.browser()
    assert with_code(stranger, with_password(stranger), code).status_code == 401  # it has counted
    ada = console.browser("administrator")
    pages = [browser.text("/account/second-factor"), account, ada.text("/users"), ada.text("/audit")]
    (row,) = console.office.read(audit_rows)
    assert (row.who, row.what, row.name, row.before, row.after) == (
        *("otto (console)", "user totp", "otto"),
        *(None, '{"second_factor":"turned on"}'),
    )
    said = [*pages, str(row), caplog.text, str(console.office.read(all_users))]
    assert secret not in str(said)
    assert "second factor" in pages[2]


@pytest.mark.parametrize("secret", ["", "A", "../../etc", "<b>" * 20])
def test_invalid_secret_is_replaced(console: Console, secret: str) -> None:
    browser = console.browser("operator")
    refused = browser.post("/account/second-factor", secret=secret, present=PASSWORD, code="123456")
    assert refused.status_code == 422
    assert field_of(refused.text, "secret") != secret
    assert console.office.read(second_factor_of, "otto") is None


def test_enabled_second_factor_is_not_replaced(otto: Console) -> None:
    other = "A" * 32
    code = code_of(otto, secret=other)
    refused = otto.browser("operator").post("/account/second-factor", secret=other, present=PASSWORD, code=code)
    assert refused.status_code == 422
    kept = otto.office.read(second_factor_of, "otto")
    assert kept is not None
    assert kept.secret == SECRET


def test_second_factor_is_disabled_by_password_and_code(otto: Console) -> None:
    browser, elsewhere = otto.browser("operator"), otto.browser("operator")
    off = "/account/second-factor/off"
    for fields in (
        {"present": PASSWORD, "code": wrong_code(otto)},
        {"present": "wrong", "code": code_of(otto)},
        {"present": PASSWORD},
        {"code": code_of(otto)},
    ):
        assert browser.post(off, **fields).status_code == 422
        assert otto.office.read(second_factor_of, "otto") is not None
    assert "factor is off" in browser.done(off, present=PASSWORD, code=code_of(otto)).text
    assert otto.office.read(second_factor_of, "otto") is None
    assert not is_in(elsewhere)
    assert with_password(otto.browser()).status_code == 303
    row = next(row for row in otto.office.read(audit_rows) if row.what != "login")
    assert (row.what, row.after) == ("user totp", '{"second_factor":"turned off"}')


def test_disabling_the_second_factor_is_throttled(otto: Console) -> None:
    browser = otto.browser("operator")
    fields = {"present": PASSWORD, "code": wrong_code(otto)}
    answers = [browser.post("/account/second-factor/off", **fields).status_code for _ in range(FREE_TRIES + 1)]
    assert answers == [422] * FREE_TRIES + [429]
    stranger = otto.browser(address="198.51.100.9")
    assert with_code(stranger, with_password(stranger), code_of(otto)).status_code == 429


def test_administrator_resets_the_second_factor_of_another(otto: Console) -> None:
    ada, browser = otto.browser("administrator"), otto.browser("operator")
    assert "with the password alone" in ada.done("/users/otto/second-factor").text
    assert otto.office.read(second_factor_of, "otto") is None
    assert not is_in(browser)
    assert with_password(browser).status_code == 303
    row = next(row for row in otto.office.read(audit_rows) if row.what != "login")
    assert (row.who, row.what, row.name, row.after) == (
        *("ada (console)", "user reset-totp", "otto"),
        '{"second_factor":"turned off"}',
    )
    assert ada.post("/users/otto/second-factor").status_code == 422  # there is none
    assert ada.post("/users/nobody/second-factor").status_code == 404


def test_users_cannot_reset_their_own_second_factor(console: Console) -> None:
    console.office.write(set_second_factor, "ada", SecondFactor(SECRET, 0))
    assert console.browser("administrator").post("/users/ada/second-factor").status_code == 422
    ada = console.office.read(user_of, "ada")
    assert ada is not None
    assert ada.has_second_factor
