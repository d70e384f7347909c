"""A console over a store of its own, and browsers that ask it. `Office(folder).browser("operator")` is logged in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, TypeVarTuple

from httpx2 import Response
from starlette.testclient import TestClient

from callsieve.health import ScreeningState, ScreeningStatus, SystemHealth
from callsieve.main.console_server import make_app, make_app_state
from callsieve.users.passwords import hashed
from callsieve.web.app_state import AppState, BackgroundValue
from callsieve.web.tokens import form_token, hash_of, new_token
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.transaction import transaction
from reputation.store.users import Lifetime, add_user, start_session
from reputation.users import ROLE_BY_WORD, ConsoleUser, Session
from tests import office
from tests.office import SETTINGS as COMPANY

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NOW = 1_767_000_000.0
PASSWORD = "correct horse battery"
ROLES = ("viewer", "operator", "administrator")
# Who has which role. The operator and the administrator mark in the name of people of ours.
USERS = {"vera": ("viewer", None), "otto": ("operator", "201"), "ada": ("administrator", "202")}
NAME_BY_ROLE = {role: name for name, (role, _) in USERS.items()}
SETTINGS = f"""\
{COMPANY}
[policy]
name = "cautious"

[asterisk]
command = "callsieve-has-no-asterisk-here"
"""


@lru_cache(maxsize=1)
def hashed_password() -> str:
    """Once: it takes 50 ms on purpose."""
    return hashed(PASSWORD)


@lru_cache(maxsize=1)
def store_with_users() -> bytes:
    """The bytes of a store in which there are the users and nothing else. Once: it takes a while to make."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with open_store(path) as db:
            with transaction(db):
                for name, (role, extension) in USERS.items():
                    add_user(db, ConsoleUser(name, ROLE_BY_WORD[role], extension, NOW, NOW), hashed_password())
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


class Clock:
    """The console's time, which tests move."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Ticking(Clock):
    """As real time: never the same twice."""

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


class Browser:
    """Somebody's browser, as far as it needs the server: cookies, and the token of its forms."""

    def __init__(self, client: TestClient, token: str | None) -> None:
        self.client = client
        self.token = token
        if token is not None:
            client.cookies.set("callsieve", token)

    def get(self, path: str, **more: Any) -> Response:
        return self.client.get(path, follow_redirects=False, **more)

    def text(self, path: str, **more: Any) -> str:
        """A page that must be there."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return answer.text

    def post(self, path: str, **fields: str) -> Response:
        """A form of the console's own."""
        return self.client.post(
            path, data={"form_token": form_token(self.token or ""), **fields}, follow_redirects=False
        )

    def done(self, path: str, **fields: str) -> Response:
        """A form that must be taken; the page that it leads to."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, (path, answer.status_code, problem_of(answer.text))
        return self.client.get(answer.headers["location"], follow_redirects=False)


class Office(office.Office):
    """With a store, in which the users are."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        super().__init__(folder, settings)
        self.clock = Clock()
        self.state.mkdir()
        self.store.write_bytes(store_with_users())

    @contextmanager
    def console(self, base_url: str = "http://localhost") -> Iterator[Console]:
        """The running console."""
        state = make_app_state(self.load, self.clock)
        with TestClient(make_app(state), base_url=base_url) as client:
            yield Console(self, state, client)


class Console:
    """The application and the browsers of those who use it."""

    def __init__(self, office: Office, state: AppState, client: TestClient) -> None:
        self.office, self.state, self._client = office, state, client
        self._health, state.health = state.health, BackgroundValue(SystemHealth())
        self._screening, state.screening = state.screening, BackgroundValue(ScreeningStatus(ScreeningState.ON))

    def wait_for_health(self) -> None:
        """Until every part was looked at once: pages look the same from then on."""
        self.state.health, self.state.screening = self._health, self._screening
        browser = self.browser("viewer")
        give_up_at = time.monotonic() + 30
        while not self.state.health.latest.is_known:
            assert time.monotonic() < give_up_at
            browser.get("/health")
            time.sleep(0.02)

    def browser(self, role: str | None = None, address: str = "192.0.2.7") -> Browser:
        """A browser in which somebody of this role is logged in, or nobody."""
        client = TestClient(self._client.app, base_url=str(self._client.base_url), client=(address, 50000))
        client.portal = self._client.portal  # one loop for all, as in the real process
        if role is None:
            return Browser(client, None)
        token = new_token()
        now = self.office.clock.now
        session = Session(hash_of(token), NAME_BY_ROLE[role], now, now, address, "test")
        self.office.write(start_session, session, Lifetime(3600.0, 43200.0))
        return Browser(client, token)


def field_of(page: str, name: str) -> str:
    """The value of a field of the form in the page itself; the head of each page has forms of its own."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.partition("<main")[2])
    assert found, name
    return found[1]


def problem_of(page: str) -> str:
    """What the page says went wrong; empty when it says nothing."""
    found = re.search(r'<p class="problem" role="alert">(.*?)</p>', page, re.DOTALL)
    return found[1] if found else ""


def undo_of(page: str) -> str:
    """The id of the latest change that the page offers to undo."""
    found = re.search(r'/undo".*?name="id" value="(\d+)"', page, re.DOTALL)
    assert found, "nothing can be undone there"
    return found[1]


def changes_of(office: Office) -> list[tuple[str, str, str | None]]:
    """(what, who, about which number) of all rows of the audit, the latest first."""
    return [(row.what, row.who, row.number) for row in office.read(audit_rows)]
