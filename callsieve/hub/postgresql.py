"""The one module that knows psycopg: connections to the hub whose every wait is bounded.

    async with connection_to(address) as hub:  rows = await hub.rows("SELECT %s", (7,))

Whatever the server, the network or the address does wrong is a HubError; its text names no password.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from agi.sockets import is_loopback

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    IS_INSTALLED = True
except ImportError:  # it is an extra; the manual page imports this anyway
    IS_INSTALLED = False

CONNECT_SECONDS: Final = 10.0
STATEMENT_SECONDS: Final = 20.0
ADMINISTRATION_SECONDS: Final = 3600.0  # to take out what a site has told, or to place all rows anew
# A line that is cut without a word is noticed within four seconds: once it is whole again, a new connection is there
# at once, and an old one waits for the next of TCP's repetitions, which are twice as far apart each time.
KEEPALIVE: Final = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 4_000,
}
# What holds for our sessions there: one whose site is gone must not hold up others for long.
AT_THE_SERVER: Final = {
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 30_000,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "jit": "off",  # what is asked reads some hundred rows by an index: to compile it took a hundred times as long
}
MOST_WORDS: Final = 300
UNDEFINED: Final = ("3F000", "42P01", "42883")  # no such schema, table, function
FORBIDDEN: Final = "42501"
LOCKED: Final = "55P03"
EXCEEDED: Final = "54000"
# What libpq says of a connection that is refused, and the way out. It gives no SQLSTATE for these.
REMEDIES: Final = (
    ("certificate verify failed", "?sslrootcert=/etc/callsieve/hub.pem at the end of the address names its authority"),
    ('failed for user "callsieve:', "callsieve hub join gives the site another password"),
    ("is not permitted to log in", "this site was expelled or has left; callsieve hub join lets it take part again"),
    ("no pg_hba.conf entry", "a line of PostgreSQL's pg_hba.conf lets this machine in; an expelled site joins again"),
)


class HubError(Exception):
    """The hub cannot be reached, or did not do what was asked. `code`: PostgreSQL's SQLSTATE, empty without one."""

    def __init__(self, words: str, code: str = "") -> None:
        super().__init__(words)
        self.code = code


class Hub:
    """An open connection. All of its methods raise HubError."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], seconds: float = STATEMENT_SECONDS) -> None:
        self._connection = connection
        self._seconds = seconds

    async def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement, which is a transaction of its own outside of `transaction`."""
        async with _bounded(self._seconds):
            cursor = await self._connection.execute(statement.encode(), values or None)
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def transaction(self, level: str = "READ COMMITTED") -> AsyncIterator[None]:
        """All of the block or nothing."""
        await self.rows(f"BEGIN ISOLATION LEVEL {level}")
        try:
            yield
            await self.rows("COMMIT")
        except BaseException:
            if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                await self.rows("ROLLBACK")
            raise

    async def notices(self, seconds: float) -> list[str]:
        """What the channels that are listened to say next, all that comes at once; none where they are silent."""
        async with _bounded(seconds + CONNECT_SECONDS):
            return [notice.payload async for notice in self._connection.notifies(timeout=seconds, stop_after=1)]

    async def close(self) -> None:
        """Ends the connection, whatever state it is in."""
        await self._connection.close()


@asynccontextmanager
async def connection_to(address: str, seconds: float = STATEMENT_SECONDS) -> AsyncIterator[Hub]:
    """A connection for the block, on which a statement takes no longer than that. HubError."""
    text = connection_text(address, seconds)
    async with _bounded(CONNECT_SECONDS + 1.0):
        connection = await psycopg.AsyncConnection.connect(text, autocommit=True)
    hub = Hub(connection, seconds)
    try:
        yield hub
    finally:
        await hub.close()


def connection_text(address: str, seconds: float = STATEMENT_SECONDS) -> str:
    """The address with our limits; a server that is not on this machine has to prove who it is. HubError."""
    said = _parts_of(address)
    host = str(said.get("hostaddr") or said.get("host") or "")
    if not _is_here(host) and "sslmode" not in said:
        said = {**said, "sslmode": "verify-full", "sslrootcert": said.get("sslrootcert") or "system"}
    limits: dict[str, Any] = {
        "connect_timeout": int(CONNECT_SECONDS),
        "application_name": "callsieve-hub",
        "options": " ".join(
            f"-c {name}={value}" for name, value in {"statement_timeout": int(1000 * seconds), **AT_THE_SERVER}.items()
        ),
        **KEEPALIVE,
    }
    return make_conninfo("", **(limits | said))


def place_of(address: str) -> str:
    """Host, port and database of an address, for people: no user and no password. HubError."""
    said = _parts_of(address)
    return f"{said.get('host') or 'localhost'}:{said.get('port') or 5432}/{said.get('dbname') or 'callsieve'}"


def with_login(address: str, user: str, password: str) -> str:
    """The same address for another user, who has a password and no certificate. HubError.

    libpq looks for a certificate in the home directory: of root's, where root acts as the service's user, who may not.
    """
    login = {"user": user, "password": password, "sslcertmode": "disable"}
    return make_conninfo("", **(_parts_of(address) | login))


def _parts_of(address: str) -> dict[str, Any]:
    if not IS_INSTALLED:
        command = f"{sys.prefix}/bin/pip install --require-hashes -r requirements/runtime.txt"
        raise HubError(f"psycopg is not installed: in CallSieve's checkout, {command}")
    try:
        return {**conninfo_to_dict(address)}
    except psycopg.Error:
        raise HubError("write its address as postgresql://hub.example.com:5432/callsieve") from None


def _is_here(host: str) -> bool:
    """Whether it is this machine: a socket in a directory, or loopback."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return is_loopback(host)
    except ValueError:
        return False


@asynccontextmanager
async def _bounded(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise HubError(f"no answer within {seconds:.0f} s") from None
    except psycopg.Error as error:
        raise HubError(_words_of(error), error.sqlstate or "") from None
    except OSError as error:
        raise HubError(error.strerror or type(error).__name__) from None


def _words_of(error: psycopg.Error) -> str:
    """One line. What libpq says of a connection ends with the reason."""
    primary = error.diag.message_primary
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = (primary or (lines[0] if lines else type(error).__name__))[:MOST_WORDS]
    remedy = next((way for said, way in REMEDIES if said in words), "")
    return f"{words} ({remedy})" if remedy else words
