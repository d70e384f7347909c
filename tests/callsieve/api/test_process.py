"""The API as a process: its address, its Unix socket, and slow clients."""

from __future__ import annotations

import json
import os
import pwd
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from callsieve.main.http_server import listening_unix
from lab.daemon import Daemon
from lab.ports import free_port
from reputation.store.users import add_token
from reputation.users import ApiToken, Role, Scope, digest_of, new_secret
from tests.callsieve.api.serving import ServedApi, serving_api
from tests.office import Office
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TCP = socket.SOCK_STREAM


def ask(port: int, path: str, secret: str = "", method: str = "GET", body: bytes | None = None) -> tuple[int, str, str]:
    """Return status, content type and body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    with closing(connection):
        connection.request(method, path, body, headers | ({"content-type": "application/json"} if body else {}))
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type", ""), answer.read().decode()


def test_own_address_serves_the_api_and_no_page(tmp_path: Path) -> None:
    with serving_api(tmp_path) as served:
        status, kind, text = ask(served.port, "/api/v1/status", served.secret)
        assert (status, kind, json.loads(text)["screened"]) == (200, "application/json", False)
        for path in ("/", "/login", "/static/console.css", "/livez", "/metrics", "/favicon.ico"):
            assert ask(served.port, path)[:2] == (401, "application/problem+json")
            assert ask(served.port, path, served.secret)[0] == 404
        status, kind, _ = ask(served.port, "/api/v1/own-numbers/a%0Ab/suspicions", served.secret)
        assert (status, kind) == (422, "application/problem+json")


def test_body_of_10_megabytes_is_refused_unread(tmp_path: Path) -> None:
    with serving_api(tmp_path) as served:
        path = "/api/v1/lists/block/entries"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.secret}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {10 << 20}\r\n\r\n"
        with closing(socket.create_connection(("127.0.0.1", served.port), 30)) as stream:
            stream.sendall(head.encode() + b" " * (128 << 10))
            answer = HTTPResponse(stream)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["code"]) == (413, "too-large")
        assert_still_answers(served)


def assert_still_answers(served: ServedApi) -> None:
    assert ask(served.port, "/api/v1/lists/block/entries", served.secret)[0] == 200


def test_daemon_serves_the_api_on_the_console_port_only(tmp_path: Path) -> None:
    web, api = free_port("127.0.0.1", TCP), free_port("127.0.0.1", TCP)
    settings = f'[web]\nenabled = true\nlisten = "127.0.0.1:{web}"\n'
    settings += f'[api]\nenabled = true\nlisten = "127.0.0.1:{api}"\n'
    with Daemon(tmp_path / "state", settings) as daemon:
        daemon.wait_for_log("console: http://", 60)
        secret = new_secret()
        token = ApiToken("everything", Role.VIEWER, (Scope.READ,), 0.0)
        Office(tmp_path).write(add_token, token, digest_of(secret) or "")
        wait_until(lambda: is_listening(web))
        assert ask(web, "/login")[0] == 200
        assert ask(web, "/api/v1/status", secret)[0] == 200
        assert not is_listening(api)
        assert not (daemon.state / "api.sock").exists()


ASK_AT_SOCKET = """\
import http.client, json, os, socket, sys
path, user, group = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if user != os.getuid():
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
body = json.dumps({"entry": "+1901*"})
headers = {"Content-Type": "application/json", "CallSieve-Person": "J\u00f6rg".encode(), **json.loads(sys.argv[4])}
connection.request("POST", "/api/v1/lists/block/entries", body, headers)
answer = connection.getresponse()
print(answer.status, json.loads(answer.read()).get("code", ""))
"""


def add_entry_at_socket(served: ServedApi, user: int, secret: str = "") -> str:
    """Return status and code that a local user in the group of the socket gets."""
    path = served.office.state / "api.sock"
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    words = (sys.executable, "-P", "-c", ASK_AT_SOCKET, str(path), str(user), str(status.st_gid), json.dumps(headers))
    return subprocess.run(words, capture_output=True, check=True, text=True, timeout=60).stdout.strip()


def test_asterisks_user_needs_no_token_at_the_socket(tmp_path: Path) -> None:
    me = os.getuid()
    with serving_api(tmp_path, empty=True, settings=f'[agi]\nusers = ["{me}"]\n') as served:
        assert add_entry_at_socket(served, me) == "201"
        with closing(sqlite3.connect(served.office.store)) as db:
            (actor,) = db.execute("SELECT who FROM audit WHERE what = 'list add'").fetchone()
        assert actor == f"socket:{pwd.getpwuid(me).pw_name}/J\u00f6rg"
        assert ask(served.port, "/api/v1/status")[:2] == (401, "application/problem+json")


@pytest.mark.root
def test_other_users_need_a_token_at_the_socket(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    with TemporaryDirectory() as folder, serving_api(Path(folder), empty=True) as served:
        for directory in (Path(folder), served.office.state):
            directory.chmod(0o755)
        assert add_entry_at_socket(served, nobody) == "401 no-token"
        assert add_entry_at_socket(served, nobody, served.secret) == "201"
        with closing(sqlite3.connect(served.office.store)) as db:
            (actor,) = db.execute("SELECT who FROM audit WHERE what = 'list add'").fetchone()
        assert actor == "token:everything/J\u00f6rg"


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_directory_of_the_socket_is_created(tmp_path: Path) -> None:
    path = tmp_path / "s" / "api.sock"  # a short path: a socket has 107 bytes for it
    with closing(listening_unix(path)), closing(socket.socket(socket.AF_UNIX, TCP)) as client:
        client.connect(str(path))
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o007 == 0
