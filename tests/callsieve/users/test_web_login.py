"""Who is let in, for how long, and what a browser has to show for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from httpx2 import Response

from callsieve.main.console_server import make_app_state
from callsieve.users.web.account import TRIES_OF_AN_ADDRESS, LoginTries
from callsieve.web.app_state import HASHED_AT_ONCE
from callsieve.web.connections import network_of
from callsieve.web.throttle import FREE_TRIES, LONGEST_WAIT_SECONDS, MOST_KEPT, Throttle
from callsieve.web.tokens import hash_of, parse_token
from reputation.store.audit import audit_rows
from reputation.store.users import remove_user, sessions_of, set_password, set_role
from reputation.users import Role
from tests.callsieve.browsing import NOW, PASSWORD, Browser, Console, Office, field_of, hashed_password, problem_of


def log_in(browser: Browser, name: str, password: str = PASSWORD, target: str = "/") -> Response:
    page = browser.text(f"/login?next={target}")
    fields = {"form_token": field_of(page, "form_token"), "next": field_of(page, "next")}
    return browser.client.post("/login", data={**fields, "name": name, "password": password}, follow_redirects=False)


def cookies_set(answer: Response) -> str:
    return "\n".join(value for key, value in answer.headers.multi_items() if key == "set-cookie")


def test_right_password_opens_the_requested_page(console: Console) -> None:
    browser = console.browser()
    assert browser.get("/account").headers["location"] == "/login?next=/account"
    answer = log_in(browser, "ada", target="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "administrator" in browser.text("/account")


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "wrong horse battery"), ("ada", ""), ("nobody", PASSWORD), ("", PASSWORD), ("ada", f"{PASSWORD}\x00")],
)
def test_wrong_login_does_not_reveal_what_was_wrong(console: Console, name: str, password: str) -> None:
    browser = console.browser()
    answer = log_in(browser, name, password)
    assert answer.status_code == 401
    assert "password is wrong" in problem_of(answer.text)
    assert browser.get("/account").status_code == 303


def test_a_proxied_address_is_kept_without_control_characters(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    browser = console.browser(address="192.0.2.7\x9b31m\n\u202e" + "x" * 100)
    assert log_in(browser, "ada", "wrong horse battery").status_code == 401
    assert log_in(browser, "ada").status_code == 303
    addresses = [record.args[-1] for record in caplog.records if isinstance(record.args, tuple) and record.args]
    assert [address for address in addresses if str(address).startswith("192.0.2.7")] == ["192.0.2.731m" + "x" * 52] * 2


def test_cookie_is_http_only_and_for_this_console(console: Console) -> None:
    cookies = cookies_set(log_in(console.browser(), "ada"))
    session = next(line for line in cookies.splitlines() if line.startswith("callsieve="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "Path=/" in session
    assert "Secure" not in session  # over plain HTTP on this machine browsers would not send it back


def test_over_https_the_cookie_is_secure_and_host_only(office: Office) -> None:
    with office.console("https://localhost") as console:
        answer = log_in(console.browser(), "ada")
    session = next(line for line in cookies_set(answer).splitlines() if line.startswith("__Host-callsieve="))
    assert "Secure" in session


def test_session_token_changes_at_login(console: Console) -> None:
    browser = console.browser()
    fixed = "A" * 43
    browser.client.cookies.set("callsieve", fixed)
    browser.client.cookies.set("callsieve-form", fixed)
    answer = log_in(browser, "ada")
    assert answer.status_code == 303
    planted = console.browser()
    planted.client.cookies.set("callsieve", fixed)
    assert planted.get("/account").status_code == 303
    assert fixed not in cookies_set(answer)


def test_store_contains_no_session_token(console: Console) -> None:
    browser = console.browser("operator")
    (session,) = console.office.read(sessions_of, "otto")
    assert browser.token is not None
    assert session.token == hash_of(browser.token)
    browser.client.cookies.set("callsieve", session.token[:43])
    assert browser.get("/account").status_code == 303


def test_logging_out_ends_the_session_in_the_store(console: Console) -> None:
    browser = console.browser("operator")
    page = browser.done("/logout")
    assert "You are logged out." in page.text
    assert browser.get("/account").status_code == 303
    assert console.office.read(sessions_of, "otto") == []


def test_idle_session_ends_and_used_session_continues(console: Console) -> None:
    idle, used = console.browser("viewer"), console.browser("viewer")
    for _ in range(4):
        console.office.clock.now += 20 * 60
        assert used.get("/account").status_code == 200
    assert idle.get("/account").status_code == 303


def test_session_ends_after_a_working_day(console: Console) -> None:
    browser = console.browser("viewer")
    for _ in range(25):
        console.office.clock.now += 30 * 60
        last = browser.get("/account").status_code
    assert last == 303


def with_less_rights(db: sqlite3.Connection) -> None:
    set_role(db, "otto", Role.VIEWER)


def with_another_password(db: sqlite3.Connection) -> None:
    set_password(db, "otto", hashed_password(), NOW)


def removed(db: sqlite3.Connection) -> None:
    remove_user(db, "otto")


@pytest.mark.parametrize("change", [with_less_rights, with_another_password, removed])
def test_changing_a_user_ends_their_sessions(console: Console, change: object) -> None:
    browser = console.browser("operator")
    assert browser.get("/account").status_code == 200
    assert callable(change)
    console.office.write(change)
    assert browser.get("/account").status_code == 303


def test_guessing_is_slowed_down_by_name(console: Console) -> None:
    for attempt in range(FREE_TRIES):
        assert log_in(console.browser(address=f"192.0.2.{attempt}"), "ada", "guess").status_code == 401
    refused = log_in(console.browser(address="198.51.100.9"), "ada")
    assert refused.status_code == 429
    assert "Too many attempts" in problem_of(refused.text)
    console.office.clock.now += LONGEST_WAIT_SECONDS
    assert log_in(console.browser(), "ada").status_code == 303


def guess_until_refused(browser: Browser, name: str) -> int:
    """How many wrong passwords are looked at."""
    looked_at = 0
    while log_in(browser, name, "guess").status_code == 401:
        looked_at += 1
    return looked_at


def browser_of_ada(console: Console, address: str = "192.0.2.7") -> Browser:
    """One that she has logged in with, and out again."""
    browser = console.browser(address=address)
    assert log_in(browser, "ada").status_code == 303
    browser.client.cookies.delete("callsieve")
    return browser


def test_guesses_of_others_do_not_lock_the_owner_out(console: Console) -> None:
    hers, stranger = browser_of_ada(console), console.browser()
    assert guess_until_refused(stranger, "ada") == FREE_TRIES
    for number in range(TRIES_OF_AN_ADDRESS - FREE_TRIES):
        assert log_in(stranger, f"user{number}", "guess").status_code == 401
    assert log_in(console.browser(), "ada").status_code == 429
    assert log_in(hers, "ada").status_code == 303


def test_known_browser_is_throttled_too(console: Console) -> None:
    hers = browser_of_ada(console)
    assert guess_until_refused(hers, "ada") == FREE_TRIES
    assert log_in(hers, "ada").status_code == 429
    assert log_in(console.browser(), "ada").status_code == 303


def test_known_browser_counts_for_its_user_only(console: Console) -> None:
    hers = browser_of_ada(console)
    assert guess_until_refused(console.browser(), "otto") == FREE_TRIES
    assert log_in(hers, "otto").status_code == 429


@pytest.mark.parametrize("cookie", ["", ".", "x.y"])
def test_forged_browser_cookie_is_ignored(console: Console, cookie: str) -> None:
    assert guess_until_refused(console.browser(), "ada") == FREE_TRIES
    forger = console.browser()
    forger.client.cookies.set("callsieve-browser", cookie)
    assert log_in(forger, "ada").status_code == 429


def test_browser_of_a_password_change_becomes_known(console: Console) -> None:
    hers, elsewhere, new = browser_of_ada(console), browser_of_ada(console), "four words in a row"
    assert log_in(hers, "ada").status_code == 303
    token = parse_token(hers.client.cookies["callsieve"])
    Browser(hers.client, token).done("/account/password", present=PASSWORD, new=new, again=new)
    hers.client.cookies.delete("callsieve")
    assert guess_until_refused(console.browser(), "ada") == FREE_TRIES
    assert log_in(elsewhere, "ada", new).status_code == 429
    assert log_in(hers, "ada", new).status_code == 303


def test_guessing_is_slowed_down_by_address(console: Console) -> None:
    answers = [log_in(console.browser(address="192.0.2.66"), f"user{n}", "guess").status_code for n in range(22)]
    assert answers == [401] * 20 + [429] * 2
    assert log_in(console.browser(address="192.0.2.67"), "ada").status_code == 303


def test_guessing_at_the_account_page_is_slowed_down(console: Console) -> None:
    browser, new = console.browser("operator"), "four words in a row"

    def guess(number: int) -> int:
        return browser.post("/account/password", present=f"guess {number}", new=new, again=new).status_code

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(guess, range(40)))
    assert sorted(answers) == [422] * FREE_TRIES + [429] * (40 - FREE_TRIES)
    refused = browser.post("/account/password", present=PASSWORD, new=new, again=new)
    assert "Too many attempts" in problem_of(refused.text)
    assert log_in(console.browser(address="198.51.100.9"), "otto").status_code == 429
    console.office.clock.now += LONGEST_WAIT_SECONDS
    browser.done("/account/password", present=PASSWORD, new=new, again=new)


def test_guessing_is_slowed_down_by_ipv6_network(console: Console) -> None:
    answers = [
        log_in(console.browser(address=f"2001:db8:0:7::{n}"), f"user{n}", "guess").status_code for n in range(22)
    ]
    assert answers == [401] * 20 + [429] * 2
    assert log_in(console.browser(address="2001:db8:0:8::1"), "ada").status_code == 303


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:7:a:b:c:d", "2001:db8:0:7::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.9.8.7", "127.0.0.1"),
        ("::1", "127.0.0.1"),
        ("::ffff:127.9.8.7", "127.0.0.1"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_overlong_user_names_are_kept_shortened(console: Console) -> None:
    for name in ("x" * 60_000, "x" * 64, "x" * 64 + "y"):
        assert log_in(console.browser(), name, "guess").status_code == 401
    assert len(console.state.service(LoginTries).of_user) == 1, "all three are kept as one name of 64 characters"


async def test_few_passwords_are_hashed_at_once(office: Office) -> None:
    state, at_once, most = make_app_state(office.load, office.clock), set[int](), 0

    def hashing(number: int) -> None:
        nonlocal most
        at_once.add(number)
        most = max(most, len(at_once))
        time.sleep(0.01)
        at_once.remove(number)

    await asyncio.gather(*(state.hashing(hashing, number) for number in range(8)))
    assert most == HASHED_AT_ONCE
    await state.close()


def test_throttle_allows_under_150_guesses_a_day() -> None:
    throttle, tried = Throttle(), 0
    for second in range(0, 86_400, 60):
        if throttle.wait_seconds("ada", second) == 0:
            throttle.failed("ada", second)
            tried += 1
    assert tried < 150


def test_own_login_does_not_reset_the_limit_of_an_address(console: Console) -> None:
    browser, looked_at = console.browser(), 0
    for name in range(60):
        looked_at += log_in(browser, f"name-{name}", "wrong horse battery").status_code == 401
        if name % 15 == 14 and log_in(browser, "vera").status_code == 303:
            browser.client.cookies.clear()
    assert looked_at == TRIES_OF_AN_ADDRESS


def test_memory_of_the_throttle_is_bounded() -> None:
    throttle = Throttle()
    for number in range(MOST_KEPT + 100):
        throttle.failed(str(number), 0.0)
    assert len(throttle) == MOST_KEPT


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nb"]
)
def test_login_never_redirects_to_another_host(console: Console, target: str) -> None:
    browser = console.browser()
    page = browser.text("/login")
    fields = {"form_token": field_of(page, "form_token"), "next": target, "name": "ada", "password": PASSWORD}
    answer = browser.client.post("/login", data=fields, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_user_changes_their_own_password(console: Console) -> None:
    browser, elsewhere = console.browser("operator"), console.browser("operator")
    new = "four words in a row"
    wrong = browser.post("/account/password", present="wrong", new=new, again=new)
    assert problem_of(wrong.text).startswith("The current password is")
    short = browser.post("/account/password", present=PASSWORD, new="short", again="short")
    assert "12 to 256 characters" in problem_of(short.text)
    assert "Your password is changed" in browser.done("/account/password", present=PASSWORD, new=new, again=new).text
    assert elsewhere.get("/account").status_code == 303
    assert log_in(console.browser(), "otto", new).status_code == 303
    (row,) = (row for row in console.office.read(audit_rows) if row.what != "login")
    assert (row.who, row.what, row.name, row.after) == (
        "otto (console)",
        "user password",
        "otto",
        '{"password":"changed"}',
    )


def test_other_browsers_are_logged_out_on_request(console: Console) -> None:
    browser, elsewhere = console.browser("operator"), console.browser("operator")
    somebody_else = console.browser("viewer")
    browser.done("/account/sessions")
    assert browser.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert somebody_else.get("/account").status_code == 200


def test_login_page_without_users_explains_how_to_add_one(office: Office) -> None:
    for name in ("ada", "otto", "vera"):
        office.write(remove_user, name)
    with office.console() as console:
        assert "callsieve user add NAME --role administrator" in console.browser().text("/login")
