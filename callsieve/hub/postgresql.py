"""Connections to the hub's PostgreSQL, with a time limit on every wait. Only this module imports psycopg.

An error of the server, the network or the address is raised as HubError. The message of HubError contains no password.
"""

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
ADMINISTRATION_SECONDS: Final = 3600.0  # to delete all rows of a site, or to give all rows new places
# A silently broken connection is noticed within four seconds. A new connection then works as soon as the network does,
# while an old one waits for TCP's next retransmission, whose interval doubles each time.
KEEPALIVE: Final = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 4_000,
}
# Limits of our sessions at the server: the session of a lost site must not hold up others for long.
AT_THE_SERVER: Final = {
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 30_000,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "jit": "off",  # our queries read some hundred rows by index: compiling took a hundred times as long
}
MOST_WORDS: Final = 300
UNDEFINED: Final = ("3F000", "42P01", "42883")  # no such schema, table, function
FORBIDDEN: Final = "42501"
LOCKED: Final = "55P03"
EXCEEDED: Final = "54000"
# libpq's messages for a refused connection (it gives no SQLSTATE for these), and what to do.
REMEDIES: Final = (
    (
        "certificate verify failed",
        "add ?sslrootcert=/etc/callsieve/hub.pem to the address to trust the hub's certificate authority",
    ),
    ('failed for user "callsieve:', "run callsieve hub join for a new password"),
    (
        "is not permitted to log in",
        "this site was expelled from the hub or has left it; to take part again: callsieve hub join",
    ),
    ("no pg_hba.conf entry", "add this server to PostgreSQL's pg_hba.conf; an expelled site must join again"),
)


class HubError(Exception):
    """The hub cannot be reached, or refused a request. `code`: PostgreSQL's SQLSTATE, or empty."""

    def __init__(self, words: str, code: str = "") -> None:
        super().__init__(words)
        self.code = code


class Hub:
    """An open connection to the hub's database. All methods raise HubError."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], seconds: float = STATEMENT_SECONDS) -> None:
        self._connection = connection
        self._seconds = seconds

    async def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Outside `transaction`, each statement is a transaction of its own."""
        async with _bounded(self._seconds):
            cursor = await self._connection.execute(statement.encode(), values or None)
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def transaction(self, level: str = "READ COMMITTED") -> AsyncIterator[None]:
        """Run the block in one transaction. `level`: the isolation level of PostgreSQL."""
        await self.rows(f"BEGIN ISOLATION LEVEL {level}")
        try:
            yield
            await self.rows("COMMIT")
        except BaseException:
            if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                await self.rows("ROLLBACK")
            raise

    async def notices(self, seconds: float) -> list[str]:
        """Return the text of the next notification, in a list. The list is empty if none arrives within `seconds`."""
        async with _bounded(seconds + CONNECT_SECONDS):
            return [notice.payload async for notice in self._connection.notifies(timeout=seconds, stop_after=1)]

    async def close(self) -> None:
        """Close the connection, whatever its state."""
        await self._connection.close()


@asynccontextmanager
async def connection_to(address: str, seconds: float = STATEMENT_SECONDS) -> AsyncIterator[Hub]:
    """Open a connection for the block. `seconds`: the time limit of each statement."""
    text = connection_text(address, seconds)
    async with _bounded(CONNECT_SECONDS + 1.0):
        connection = await psycopg.AsyncConnection.connect(text, autocommit=True)
    hub = Hub(connection, seconds)
    try:
        yield hub
    finally:
        await hub.close()


def connection_text(address: str, seconds: float = STATEMENT_SECONDS) -> str:
    """Return the address with time limits. By default, a server on another computer must have a valid certificate."""
    parts = _parts_of(address)
    host = str(parts.get("hostaddr") or parts.get("host") or "")
    if not _is_here(host) and "sslmode" not in parts:
        parts = {**parts, "sslmode": "verify-full", "sslrootcert": parts.get("sslrootcert") or "system"}
    limits: dict[str, Any] = {
        "connect_timeout": int(CONNECT_SECONDS),
        "application_name": "callsieve-hub",
        "options": " ".join(
            f"-c {name}={value}" for name, value in {"statement_timeout": int(1000 * seconds), **AT_THE_SERVER}.items()
        ),
        **KEEPALIVE,
    }
    return make_conninfo("", **(limits | parts))


def place_of(address: str) -> str:
    """Return host, port and database of an address for display, without user and password."""
    parts = _parts_of(address)
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or 'callsieve'}"


def with_login(address: str, user: str, password: str) -> str:
    """Return the address with this user and password, and without a client certificate.

    Otherwise libpq looks for a certificate in root's home directory, which the service's user cannot read.
    """
    login = {"user": user, "password": password, "sslcertmode": "disable"}
    return make_conninfo("", **(_parts_of(address) | login))


def _parts_of(address: str) -> dict[str, Any]:
    if not IS_INSTALLED:
        command = f"{sys.prefix}/bin/pip install --require-hashes -r requirements/runtime.txt"
        raise HubError(
            "psycopg is not installed: install the package callsieve-hub (apt install callsieve-hub), "
            f"or run in CallSieve's checkout: {command}"
        )
    try:
        return {**conninfo_to_dict(address)}
    except psycopg.Error:
        raise HubError("the address is not valid: write it as postgresql://hub.example.com:5432/callsieve") from None


def _is_here(host: str) -> bool:
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
    """Return an error of PostgreSQL as one line. For a failed connection, this is the last line of libpq's text."""
    primary = error.diag.message_primary
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = (primary or (lines[0] if lines else type(error).__name__))[:MOST_WORDS]
    remedy = next((remedy for text, remedy in REMEDIES if text in words), "")
    return f"{words} ({remedy})" if remedy else words
