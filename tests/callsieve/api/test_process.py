"""The API as a process: where it listens, what is there beside it, and what becomes of a client that does not send."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from lab.daemon import Daemon
from lab.ports import free_port
from reputation.api_tokens import ApiToken, Scope, digest_of, new_secret
from reputation.store.api_tokens import add_token
from reputation.users import Role
from tests.callsieve.api.serving import ServedApi, serving_api
from tests.office import Office
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TCP = socket.SOCK_STREAM


def ask(port: int, path: str, secret: str = "", method: str = "GET", body: bytes | None = None) -> tuple[int, str, str]:
    """Status, type and body of the answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    with closing(connection):
        connection.request(method, path, body, headers | ({"content-type": "application/json"} if body else {}))
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type", ""), answer.read().decode()


def test_on_its_own_address_there_is_the_api_and_no_page(tmp_path: Path) -> None:
    with serving_api(tmp_path) as served:
        status, kind, text = ask(served.port, "/api/v1/status", served.secret)
        assert (status, kind, json.loads(text)["screened"]) == (200, "application/json", False)
        for path in ("/", "/login", "/static/console.css", "/livez", "/metrics", "/favicon.ico"):
            assert ask(served.port, path)[:2] == (401, "application/problem+json")
            assert ask(served.port, path, served.secret)[0] == 404


def test_ten_megabytes_are_not_read(tmp_path: Path) -> None:
    with serving_api(tmp_path) as served:
        path = "/api/v1/lists/block/entries"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.secret}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {10 << 20}\r\n\r\n"
        with closing(socket.create_connection(("127.0.0.1", served.port), 30)) as stream:
            stream.sendall(head.encode() + b" " * (128 << 10))
            answer = HTTPResponse(stream)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["code"]) == (413, "too-large")
        assert_is_well(served)


def assert_is_well(served: ServedApi) -> None:
    assert ask(served.port, "/api/v1/lists/block/entries", served.secret)[0] == 200


@pytest.mark.parametrize("console", [True, False], ids=["with-the-console", "alone"])
def test_the_daemon_serves_the_api(tmp_path: Path, *, console: bool) -> None:
    web, api = free_port("127.0.0.1", TCP), free_port("127.0.0.1", TCP)
    settings = f'[web]\nenabled = {str(console).lower()}\nlisten = "127.0.0.1:{web}"\n'
    settings += f'[api]\nenabled = true\nlisten = "127.0.0.1:{api}"\n'
    with Daemon(tmp_path / "state", settings) as daemon:
        daemon.wait_for_log("API: http://", 60)
        secret = new_secret()
        token = ApiToken("everything", Role.VIEWER, (Scope.READ,), 0.0)
        Office(tmp_path).write(add_token, token, digest_of(secret) or "")
        wait_until(lambda: answers(api))
        assert ask(api, "/login")[0] == 401
        assert ask(api, "/api/v1/status", secret)[0] == 200
        assert answers(web) is console
        if console:
            assert ask(web, "/login")[0] == 200
            assert ask(web, "/api/v1/status", secret)[0] == 200


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
