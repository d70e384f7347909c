"""MariaDB and MySQL, to read from: where PyMySQL is fenced. All that can go wrong is a DatabaseError.

    address = parse_address("mysql://reader@localhost/asteriskcdrdb")
    with connected(address) as db:  db.rows("cdr", ("src", "dst"), "WHERE ... LIMIT 9") -> [{"src": "201", ...}, ...]

Each field comes as text and is cut on the server, so that a huge one is never sent. Nothing is ever written there.
Results are taken whole, and are bounded by who asks: one that is read row by row holds MyISAM's lock, and the library's
cursor for it cannot be given up half-way without a complaint.
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
# Where Debian and Red Hat have the server's socket. FreePBX's user may often come in by that alone.
SOCKETS = (Path("/run/mysqld/mysqld.sock"), Path("/var/lib/mysql/mysql.sock"))
LOCAL = ("localhost", "")
CONNECT_SECONDS = 10
READ_SECONDS = 60
FIELD_CHARACTERS = 512
EXAMPLE = f"mysql://USER@HOST/{CALLS}"

_NAME = re.compile(r"[A-Za-z0-9_$-]{1,64}")
# Parameters are quoted as the library does it; what comes back stays bytes, for a table may hold any.
_QUOTED_ONLY: dict[Any, Any] = {kind: encode for kind, encode in conversions.items() if not isinstance(kind, int)}
# The server's error -> the way out. https://mariadb.com/kb/en/mariadb-error-codes/
_REMEDIES = {
    1044: "let the user read it: GRANT SELECT ON {database}.* TO '{user}'@'localhost'",
    1045: "name the right user, and the password in MYSQL_PWD or when asked",
    1049: "name the database as HOST/DATABASE; FreePBX's is asteriskcdrdb",
    1054: "it has not the columns of Asterisk's cdr table",
    1142: "let the user read it: GRANT SELECT ON {database}.* TO '{user}'@'localhost'",
    1146: "name the database that has Asterisk's cdr table; FreePBX's is asteriskcdrdb",
    1698: "this user comes in by the Unix socket only: run this as that user, or name FreePBX's",
    2002: "see whether MariaDB runs (systemctl status mariadb)",
    2003: "see whether MariaDB runs there (systemctl status mariadb), and the port",
    2013: "see whether MariaDB still runs (systemctl status mariadb), then run this again: it goes on",
}


class DatabaseError(Exception):
    """The database cannot be read. One line: which, why, and the way out; never a password."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is and who reads it. `password` None: nobody has said. `socket` wins over host and port."""

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
    """What `mysql://user:password@host:port/database` says. DatabaseError, without the password."""
    try:
        parts = urlsplit(text)
        port = parts.port or PORT
    except ValueError:
        raise DatabaseError(f"this is no address of a database: write {EXAMPLE}") from None
    database = unquote(parts.path.strip("/")) or CALLS
    if parts.scheme not in SCHEMES or not parts.username or not parts.hostname or not _NAME.fullmatch(database):
        raise DatabaseError(f"this is no address of a database: write {EXAMPLE}")
    password = None if parts.password is None else unquote(parts.password)
    return Address(unquote(parts.username), parts.hostname, port, database, password)


class Database:
    """An open connection. A time-out, or a server that goes away, is a DatabaseError too."""

    def __init__(self, address: Address, connection: pymysql.Connection[Cursor]) -> None:
        self._address = address
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        """The table's columns, in small letters. DatabaseError if there is no such table."""
        with said(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quoted(table)} LIMIT 0")
            return [column[0].lower() for column in cursor.description or ()]

    def has_table(self, table: str) -> bool:
        """Whether there is such a table, as far as this user may know."""
        quoted(table)
        with said(self._address), self._connection.cursor() as cursor:
            cursor.execute("SHOW TABLES LIKE %s", (table.replace("_", r"\_"),))
            return cursor.fetchone() is not None

    def has_index(self, table: str, column: str) -> bool:
        """Whether rows are found by this column without a look at the whole table."""
        with said(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SHOW INDEX FROM {quoted(table)} WHERE Seq_in_index = 1 AND Column_name = %s", (column,))
            return cursor.fetchone() is not None

    def rows(
        self, table: str, columns: Collection[str], rest: str, parameters: Sequence[object] = ()
    ) -> list[dict[str, str]]:
        """The rows that a statement finds, which says itself how many are enough.

        `rest`: from WHERE on, our own text; what is not ours is in `parameters`.
        """
        fields = ", ".join(f"LEFT({quoted(column)}, {FIELD_CHARACTERS})" for column in columns)
        with said(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {fields} FROM {quoted(table)} {rest}", tuple(parameters))
            found = cursor.fetchall()
        return [{column: _text(value) for column, value in zip(columns, row, strict=True)} for row in found]

    def value(self, table: str, expression: str, rest: str = "", parameters: Sequence[object] = ()) -> str:
        """The one value that a statement of ours finds, as text; empty for none."""
        with said(self._address), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {expression} FROM {quoted(table)} {rest}", tuple(parameters))
            row = cursor.fetchone()
            return _text(row[0]) if row else ""


@contextmanager
def connected(address: Address) -> Iterator[Database]:
    """The database, open; closed at the end, whatever was left unread."""
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
    with said(address):
        connection.connect(_local_socket(address))
    try:
        yield Database(address, connection)
    finally:
        with suppress(pymysql.MySQLError, OSError):
            connection.close()


def _local_socket(address: Address) -> socket.socket | None:
    """Connected to the Unix socket of a server on this machine; None where a port is meant.

    The library would leave it open when nobody listens there.
    """
    path = address.socket
    if not path and address.host in LOCAL and address.port == PORT:
        path = next((str(one) for one in SOCKETS if one.is_socket()), "")
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
def said(address: Address) -> Iterator[None]:
    """Inside, whatever the library raises becomes a DatabaseError."""
    try:
        yield
    except (pymysql.MySQLError, RuntimeError, UnicodeError) as error:  # RuntimeError: a login it cannot do
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[-1]) if error.args else type(error).__name__
        way = _REMEDIES.get(code, "see the server's log").format(database=address.database, user=address.user)
        raise DatabaseError(f"{address}: {_line(text)}; {way}") from None


def quoted(name: str) -> str:
    """A table or column in a statement. DatabaseError for what no name of Asterisk's looks like."""
    if not _NAME.fullmatch(name):
        raise DatabaseError(f"{name[:40]!r} is no name of a table")
    return f"`{name}`"


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "")


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:300]
