"""A public page over a store of its own, and somebody's browser that asks it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape

from httpx2 import Response
from starlette.testclient import TestClient

from callsieve.public_page.backend import Backend
from callsieve.public_page.web.pages import make_public_app
from callsieve.public_page.web.visit import PublicState
from tests.callsieve.browsing import SETTINGS as CONSOLE
from tests.callsieve.browsing import Office

ADDRESS = "https://appeals.example.org"
PUBLIC = f"""\
[public]
enabled = true
address = "{ADDRESS}"
name = "Example Ltd"
contact = "appeals@example.org"
call_in = "+442071838753"
"""
SETTINGS = f"{CONSOLE}\n{PUBLIC}"
FILED = {"name": "Carol Ltd", "contact": "carol@example.com", "statement": "We deliver parcels."}


class Stranger:
    """A browser; `network`: the address it comes from."""

    def __init__(self, client: TestClient, state: PublicState, office: Office) -> None:
        self.client, self.state, self.office = client, state, office

    def get(self, path: str, **headers: str) -> Response:
        return self.client.get(path, headers=headers, follow_redirects=False)

    def post(self, path: str, **fields: str) -> Response:
        return self.sent(path, {}, **fields)

    def sent(self, path: str, headers: Mapping[str, str], **fields: str) -> Response:
        kind = {"content-type": "application/x-www-form-urlencoded"}  # as browsers say it of an empty form, too
        return self.client.post(path, data=fields, headers={**kind, **headers}, follow_redirects=False)

    def filed(self, reference: str, **fields: str) -> str:
        """The path of the status of an appeal that must be taken."""
        answer = self.post("/appeal", reference=reference, **{**FILED, **fields})
        assert answer.status_code == 303, text_of(answer)
        return str(answer.headers["location"])


def text_of(answer: Response) -> str:
    """What is read of a page."""
    return unescape(re.sub(r"<[^>]*>", "", answer.text.partition("<main>")[2]))


def state_of(office: Office) -> PublicState:
    """With its backend in this process."""
    backend = Backend(office.load, office.clock)
    return PublicState(backend, backend.loaded.settings.public, office.clock)


@contextmanager
def page_of(office: Office, network: str = "192.0.2.1") -> Iterator[Stranger]:
    """The running page."""
    state = state_of(office)
    with TestClient(make_public_app(state), base_url=ADDRESS, client=(network, 50000)) as client:
        yield Stranger(client, state, office)
