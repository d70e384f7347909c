"""The API as a process of its own, at an address and at its socket, without the console."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from callsieve.changes.operation import Context
from callsieve.lists import operations as lists
from callsieve.lists.operations import EntryRequest
from callsieve.numbers.operations import MarkRequest, mark
from lab.ports import free_port
from lab.programs import COMMAND_LINE
from reputation.model import ListName, MarkChannel, Verdict
from reputation.store.users import add_token
from reputation.users import ApiToken, Role, Scope, digest_of, new_secret
from tests.callsieve.browsing import SETTINGS, Office
from tests.callsieve.console_calls import add_calls, make_decision
from tests.waiting import wait_until

PER_MINUTE = 100_000
# An Asterisk that keeps the off switch in a file; a real one is asked in tests/integration.
ASTERISK = """\
#!/bin/sh
case "$2" in
"database put callsieve off "*) echo "Value: ${2##* }" > "$0.off"; echo "Updated database successfully" ;;
"database del callsieve off") rm -f "$0.off"; echo "Database entry removed." ;;
"database get callsieve off") cat "$0.off" 2>/dev/null || echo "Database entry not found." ;;
*) echo "Database entry not found." ;;
esac
"""


class ServedApi:
    """The running API at `port`; the token `secret` has every role and scope."""

    process: subprocess.Popen[bytes]

    def __init__(self, office: Office, port: int) -> None:
        self.office, self.port = office, port
        self.secret = self.token(Role.ADMINISTRATOR, tuple(Scope))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    def token(self, role: Role, scopes: tuple[Scope, ...], name: str = "everything") -> str:
        """Return the secret of a new token."""
        secret = new_secret()
        token = ApiToken(name, role, scopes, time.time(), per_minute=PER_MINUTE)
        self.office.write(add_token, token, digest_of(secret) or "")
        return secret

    def is_up(self) -> bool:
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.request("GET", "/api/v1/openapi.json")
            connection.getresponse().read()
        except OSError:
            return False
        connection.close()
        return True


def add_examples(office: Office) -> None:
    """Add what the examples of the OpenAPI document name: decisions, a listed range, changes and a mark."""
    now = time.time()
    add_calls(office, make_decision("7KQ2M4XA", at=now - 600), make_decision("B1D5Q0ZT", at=now - 60))
    context = Context("joe", Role.ADMINISTRATOR, now, office.load())
    for count in range(20):
        office.write(lists.add, context, EntryRequest(ListName.BLOCK, "+1900*", f"note {count}"))
    office.write(mark, context, MarkRequest("+12015550123", "201", Verdict.SPAM, MarkChannel.CLI))


@contextmanager
def serving_api(
    folder: Path, *, empty: bool = False, program: str = COMMAND_LINE, settings: str = ""
) -> Iterator[ServedApi]:
    """The running process, which ends with the block. `empty`: nothing was changed yet; `settings`: more of them."""
    port = free_port("127.0.0.1", socket.SOCK_STREAM)
    asterisk = folder / "asterisk"
    asterisk.write_text(ASTERISK)
    asterisk.chmod(0o755)
    settings += SETTINGS.replace("callsieve-has-no-asterisk-here", str(asterisk))
    office = Office(folder, f'{settings}\n[api]\nenabled = true\nlisten = "127.0.0.1:{port}"\n')
    if not empty:
        add_examples(office)
    served = ServedApi(office, port)
    process = served.process = subprocess.Popen(
        [sys.executable, "-m", program, *(["api"] if program == COMMAND_LINE else [])], env=dict(office.environment)
    )
    try:
        wait_until(lambda: served.is_up() or process.poll() is not None, "the start of the API", 60)
        assert process.poll() is None
        yield served
    finally:
        process.kill()
        process.wait()
