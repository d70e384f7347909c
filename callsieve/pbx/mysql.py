"""Read from MariaDB and MySQL. Only this module imports PyMySQL. Every error is a DatabaseError.

Nothing is ever written. The server truncates long fields before sending them. Results are read whole, so each query
must be limited. Reading row by row would hold MyISAM's lock, and PyMySQL fails if such a cursor is abandoned.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.converters import conversions
from pymysql.cursors import Cursor

SCHEMES = ("mysql", "mariadb")
PORT = 3306
CALLS = "asteriskcdrdb"  # FreePBX's name for the database of its calls
# The server's socket on Debian and Red Hat. FreePBX's user may often log in only through it.
SOCKETS = (Path("/run/mysqld/mysqld.sock"), Path("/var/lib/mysql/mysql.sock"))
LOCAL = ("localhost", "")
CONNECT_SECONDS = 10
READ_SECONDS = 60
FIELD_CHARACTERS = 512
EXAMPLE = f"mysql://USER@HOST/{CALLS}"

_NAME = re.compile(r"[A-Za-z0-9_$-]{1,64}")
# Parameters are quoted by the library. Results stay bytes, because a table may hold any.
_QUOTED_ONLY: dict[Any, Any] = {kind: encode for kind, encode in conversions.items() if not isinstance(kind, int)}
# Remedies by the server's error code. https://mariadb.com/kb/en/mariadb-error-codes/
_REMEDIES = {
    1044: "let the user read it: GRANT SELECT ON {database}.* TO '{user}'@'localhost'",
    1045: "check the user name, and give the password in MYSQL_PWD or when asked",
    1049: "name the database as HOST/DATABASE; FreePBX's is asteriskcdrdb",
    1054: "the table lacks columns of Asterisk's cdr table: check the database name",
    1142: "let the user read it: GRANT SELECT ON {database}.* TO '{user}'@'localhost'",
    1146: "name the database that has Asterisk's cdr table; FreePBX's is asteriskcdrdb",
    1698: "this user may log in through the Unix socket only: run the command as that user, or use FreePBX's user",
    2002: "check that MariaDB runs (systemctl status mariadb)",
    2003: "check that MariaDB runs there (systemctl status mariadb), and check the port",
    2013: "check that MariaDB still runs (systemctl status mariadb), then run the command again: the import continues",
}


class DatabaseError(Exception):
    """Raised if the database cannot be read. The text is one line: database, reason and remedy, never a password."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address and user of a database. `password`: None if not given. `socket`: used instead of host and port."""

    user: str
    host: str = "localhost"
    port: int = PORT
    database: str = CALLS
    password: str | None = field(default=None, repr=False)
    socket: str = ""

    def __str__(self) -> str:
        port = "" if self.port == PORT else f":{self.port}"
        return f"mysql://{self.user}@{self.host}{port}/{self.database}"


def parse_address(text: str) -> Address:
    """Parse `mysql://user:password@host:port/database`. Raise DatabaseError, without the password, for other texts."""
    try:
        parts = urlsplit(text)
        port = parts.port or PORT
    except ValueError:
        raise DatabaseError(f"this is not a database address: write it as {EXAMPLE}") from None
    database = unquote(parts.path.strip("/")) or CALLS
    if parts.scheme not in SCHEMES or not parts.username or not parts.hostname or not _NAME.fullmatch(database):
        raise DatabaseError(f"this is not a database address: write it as {EXAMPLE}")
    password = None if parts.password is None else unquote(parts.password)
    return Address(unquote(parts.username), parts.hostname, port, database, password)


class Database:
    """An open connection. Its methods raise DatabaseError on an error, a timeout or a lost connection."""

    def __init__(self, address: Address, connection: pymysql.Connection[Cursor]) -> None:
        self._address = address
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        """Return the table's column names in lower case. Raise DatabaseError if the table does not exist."""
        with database_errors(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quoted(table)} LIMIT 0")
            return [column[0].lower() for column in cursor.description or ()]

    def has_table(self, table: str) -> bool:
        """Return whether the table exists and this user may read it."""
        quoted(table)
        with database_errors(self._address), self._connection.cursor() as cursor:
            cursor.execute("SHOW TABLES LIKE %s", (table.replace("_", r"\_"),))
            return cursor.fetchone() is not None

    def has_index(self, table: str, column: str) -> bool:
        """Return whether an index begins with the column, so that the server need not read the whole table."""
        with database_errors(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SHOW INDEX FROM {quoted(table)} WHERE Seq_in_index = 1 AND Column_name = %s", (column,))
            return cursor.fetchone() is not None

    def rows(
        self, table: str, columns: Collection[str], rest: str, parameters: Sequence[object] = ()
    ) -> list[dict[str, str]]:
        """Return the rows of a query, which must contain its own LIMIT.

        `rest`: the query from WHERE on, with placeholders for untrusted values.
        """
        fields = ", ".join(f"LEFT({quoted(column)}, {FIELD_CHARACTERS})" for column in columns)
        with database_errors(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {fields} FROM {quoted(table)} {rest}", tuple(parameters))
            records = cursor.fetchall()
        return [{column: _text(value) for column, value in zip(columns, row, strict=True)} for row in records]

    def value(self, table: str, expression: str, rest: str = "", parameters: Sequence[object] = ()) -> str:
        """Return the single value of a query as text; an empty text if the query returns nothing."""
        with database_errors(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {expression} FROM {quoted(table)} {rest}", tuple(parameters))
            row = cursor.fetchone()
            return _text(row[0]) if row else ""


@contextmanager
def connected(address: Address) -> Iterator[Database]:
    """Connect to the database, and close the connection afterwards, even if results were not read."""
    connection: pymysql.Connection[Cursor] = pymysql.Connection(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password or "",
        database=address.database,
        charset="utf8mb4",
        use_unicode=False,
        conv=_QUOTED_ONLY,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        write_timeout=CONNECT_SECONDS,
        init_command="SET SESSION TRANSACTION READ ONLY",
        defer_connect=True,
    )
    with database_errors(address):
        connection.connect(_local_socket(address))
    try:
        yield Database(address, connection)
    finally:
        with suppress(pymysql.MySQLError, OSError):
            connection.close()


def _local_socket(address: Address) -> socket.socket | None:
    """Return a connection to a local server's Unix socket; None for other addresses."""
    # PyMySQL's own connections leak sockets after errors.
    path = address.socket
    if not path and address.host in LOCAL and address.port == PORT:
        path = next((str(candidate) for candidate in SOCKETS if candidate.is_socket()), "")
    if not path:
        return None
    local = socket.socket(socket.AF_UNIX)
    try:
        local.settimeout(CONNECT_SECONDS)
        local.connect(path)
    except OSError as error:
        local.close()
        raise pymysql.err.OperationalError(2002, f"{path}: {error.strerror or error}") from None
    return local


@contextmanager
def database_errors(address: Address) -> Iterator[None]:
    """Convert every error of the library to a DatabaseError."""
    try:
        yield
    except (pymysql.MySQLError, RuntimeError, UnicodeError) as error:  # RuntimeError: an unsupported login method
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[-1]) if error.args else type(error).__name__
        way = _REMEDIES.get(code, "see the server's log").format(database=address.database, user=address.user)
        raise DatabaseError(f"{address}: {_line(text)}; {way}") from None


def quoted(name: str) -> str:
    """Quote a table or column name. Raise DatabaseError if it contains unusual characters."""
    if not _NAME.fullmatch(name):
        raise DatabaseError(f"{name[:40]!r} is not a table name")
    return f"`{name}`"


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "")


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:300]
