"""The API over a store of its own, and programs that ask it: `ApiOffice(folder).api()` has a client for each token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from httpx2 import Response
from starlette.testclient import TestClient

from callsieve.api.endpoint import ROOT, Endpoint, Routes
from callsieve.api.problem import PROBLEM_JSON, Problem
from callsieve.main.api_process import make_api_app
from callsieve.main.capabilities import ALL, endpoints_of
from callsieve.main.console_server import make_app, make_app_state
from callsieve.web.app_state import AppState
from reputation.encoding import decode
from reputation.store.users import add_token
from reputation.users import ApiToken, Role, Scope, digest_of, new_secret
from tests.callsieve.browsing import NOW, SETTINGS, Office

ENABLED = "[api]\nenabled = true\n"
EVERYTHING = tuple(Scope)
ROUTES = Routes(endpoints_of(ALL))


class Answer:
    """What was said: `json` as it is, and `code` of a problem."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.status = response.status_code
        self.headers = response.headers

    @property
    def json(self) -> Any:
        return self.response.json()

    @property
    def problem(self) -> Problem:
        """The problem, which must be one."""
        assert self.headers["content-type"] == PROBLEM_JSON, self.response.text
        found = msgspec.json.decode(self.response.content, type=Problem)
        assert found.status == self.status
        return found

    @property
    def code(self) -> str:
        return self.problem.code


class Program:
    """Whoever asks with one token, or none."""

    def __init__(self, client: TestClient, secret: str | None) -> None:
        self.client = client
        self.secret = secret
        self.headers = {} if secret is None else {"authorization": f"Bearer {secret}"}

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Answer:
        """Whatever is answered. A value that an endpoint says is looked at as strictly as one that it is told."""
        headers = {**self.headers, **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        response = self.client.request(method, ROOT + path, headers=headers, follow_redirects=False, **more)
        answer = Answer(response)
        if response.status_code < 300:
            endpoint = endpoint_of(method, path)
            if endpoint is not None:
                assert response.status_code == endpoint.status
                decode(response.content, endpoint.answer)
        else:
            assert answer.problem
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """What must be there."""
        return self.done("GET", path, params=query)

    def done(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """What must be done."""
        answer = self.ask(method, path, body, **more)
        assert answer.status < 300, (method, path, answer.status, answer.response.text)
        return answer.json

    def refused(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, str]:
        """Status and code of what must be refused."""
        answer = self.ask(method, path, body, **more)
        for _ in range(20):  # what calls wait for is answered with `allow` where a busy machine is late
            if answer.status >= 300:
                break
            answer = self.ask(method, path, body, **more)
        return answer.status, answer.code


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint that this is."""
    found = ROUTES.find(path.partition("?")[0])
    return found[0].by_method.get(method) if found else None


class RunningApi:
    """The application, and tokens made for it."""

    def __init__(self, office: ApiOffice, state: AppState, client: TestClient) -> None:
        self.office, self.state, self._client = office, state, client
        self._made = 0

    def program(
        self,
        role: Role = Role.ADMINISTRATOR,
        scopes: tuple[Scope, ...] = EVERYTHING,
        address: str = "192.0.2.7",
        **more: Any,
    ) -> Program:
        """One with a token of this role and these scopes."""
        self._made += 1
        secret = new_secret()
        token = ApiToken(f"program-{self._made}", role, scopes, NOW, **more)
        self.office.write(add_token, token, digest_of(secret) or "")
        return self.with_secret(secret, address)

    def with_secret(self, secret: str | None, address: str = "192.0.2.7") -> Program:
        """One that says this, whether it counts or not."""
        client = TestClient(self._client.app, base_url=str(self._client.base_url), client=(address, 50000))
        client.portal = self._client.portal  # one loop for all, as in the real process
        return Program(client, secret)


class ApiOffice(Office):
    """The office, whose API is enabled."""

    def __init__(self, folder: Path, settings: str = SETTINGS + ENABLED) -> None:
        super().__init__(folder, settings)

    @contextmanager
    def api_alone(self, base_url: str = "http://localhost") -> Iterator[RunningApi]:
        """The running API as its own process has it, without the console."""
        app, state = make_api_app(self.load, self.clock)
        with TestClient(app, base_url=base_url, raise_server_exceptions=False) as client:
            yield RunningApi(self, state, client)

    @contextmanager
    def api(self, base_url: str = "http://localhost") -> Iterator[RunningApi]:
        """The running API."""
        state = make_app_state(self.load, self.clock)
        with TestClient(make_app(state), base_url=base_url, raise_server_exceptions=False) as client:
            yield RunningApi(self, state, client)
