"""A private MariaDB with FreePBX's call tables, on a Unix socket and a loopback port, during the `with` block.

    with MariaDb() as server:  server.run("INSERT ...")      as root, in asteriskcdrdb

A `mariadbd` on PATH is used. Otherwise Debian's package is unpacked in the cache (8 MB to fetch, 46 MB unpacked).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

from lab.debian import Bundle, LabUnavailable, Progress, unpacked
from lab.private_server import ADDRESS, START_SECONDS, PrivateServer
from lab.tools import library_path

SERVER = Bundle("mariadb", ("mariadb-server-core",))
DATABASE = "asteriskcdrdb"
USER, PASSWORD = "freepbxuser", 'it\'s "quoted" & 50%'
# The scripts that create an empty server's own tables, in this order.
SYSTEM_TABLES = (
    "mariadb_system_tables.sql",
    "mariadb_performance_tables.sql",
    "mariadb_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)
# The columns of FreePBX 17, after Asterisk's documentation of its CDR and CEL fields.
CDR_TABLE = """
CREATE TABLE cdr (
    calldate DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00', clid VARCHAR(80) NOT NULL DEFAULT '',
    src VARCHAR(80) NOT NULL DEFAULT '', dst VARCHAR(80) NOT NULL DEFAULT '', dcontext VARCHAR(80) NOT NULL DEFAULT '',
    channel VARCHAR(80) NOT NULL DEFAULT '', dstchannel VARCHAR(80) NOT NULL DEFAULT '',
    lastapp VARCHAR(80) NOT NULL DEFAULT '', lastdata VARCHAR(80) NOT NULL DEFAULT '', duration INT NOT NULL DEFAULT 0,
    billsec INT NOT NULL DEFAULT 0, disposition VARCHAR(45) NOT NULL DEFAULT '', amaflags INT NOT NULL DEFAULT 0,
    accountcode VARCHAR(20) NOT NULL DEFAULT '', uniqueid VARCHAR(32) NOT NULL DEFAULT '',
    userfield VARCHAR(255) NOT NULL DEFAULT '', did VARCHAR(50) NOT NULL DEFAULT '',
    recordingfile VARCHAR(255) NOT NULL DEFAULT '', cnum VARCHAR(80) NOT NULL DEFAULT '',
    cnam VARCHAR(80) NOT NULL DEFAULT '', outbound_cnum VARCHAR(80) NOT NULL DEFAULT '',
    outbound_cnam VARCHAR(80) NOT NULL DEFAULT '', dst_cnam VARCHAR(80) NOT NULL DEFAULT '',
    linkedid VARCHAR(32) NOT NULL DEFAULT '', peeraccount VARCHAR(80) NOT NULL DEFAULT '',
    sequence INT NOT NULL DEFAULT 0,
    KEY calldate (calldate), KEY dst (dst), KEY accountcode (accountcode), KEY uniqueid (uniqueid)
) DEFAULT CHARSET utf8mb4
"""
CEL_TABLE = """
CREATE TABLE cel (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, eventtype VARCHAR(30) NOT NULL, eventtime DATETIME NOT NULL,
    cid_name VARCHAR(80) NOT NULL DEFAULT '', cid_num VARCHAR(80) NOT NULL DEFAULT '',
    exten VARCHAR(80) NOT NULL DEFAULT '', context VARCHAR(80) NOT NULL DEFAULT '', channame VARCHAR(80) NOT NULL,
    appname VARCHAR(80) NOT NULL DEFAULT '', appdata VARCHAR(255) NOT NULL DEFAULT '', uniqueid VARCHAR(32) NOT NULL,
    linkedid VARCHAR(32) NOT NULL, peer VARCHAR(80) NOT NULL DEFAULT '', extra VARCHAR(512) NOT NULL DEFAULT '',
    KEY uniqueid_index (uniqueid), KEY linkedid_index (linkedid)
) DEFAULT CHARSET utf8mb4
"""


@dataclass(frozen=True, slots=True)
class ServerPaths:
    """The paths of the MariaDB server, of its data, and of its libraries."""

    program: Path
    data: Path
    libraries: str = ""


def ensure_mariadb(progress: Progress = lambda line: None) -> ServerPaths:
    """Return the paths of MariaDB, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    installed = shutil.which("mariadbd")
    if installed and (data := Path(installed).resolve().parent.parent / "share/mariadb").is_dir():
        return ServerPaths(Path(installed), data)
    root = unpacked(SERVER, progress)
    program = root / "usr/sbin/mariadbd"
    if not program.exists():
        raise LabUnavailable(
            f"the packages {' '.join(SERVER.packages)} contain no mariadbd: install mariadb-server yourself"
        )
    return ServerPaths(program, root / "usr/share/mariadb", library_path(root))


class MariaDb(PrivateServer):
    """A running MariaDB with empty tables `cdr` and `cel`, and FreePBX's user, whose password contains quotes."""

    name = "mariadb"

    def __init__(self, paths: ServerPaths | None = None) -> None:
        super().__init__()
        self.paths = paths or ensure_mariadb()

    def _set_up(self) -> None:
        self._make_system_tables()
        self.start()
        self.run(f"CREATE DATABASE {DATABASE}", database="mysql")
        self.make_tables()
        quoted = pymysql.converters.escape_string(PASSWORD)
        for host in ("localhost", ADDRESS):
            self.run(f"CREATE USER '{USER}'@'{host}' IDENTIFIED BY '{quoted}'")
            self.run(f"GRANT SELECT ON *.* TO '{USER}'@'{host}'")

    @property
    def socket_path(self) -> Path:
        return self.folder / "s"

    def make_tables(self) -> None:
        for name, table in (("cdr", CDR_TABLE), ("cel", CEL_TABLE)):
            self.run(f"DROP TABLE IF EXISTS {name}")
            self.run(table)

    def run(self, statement: str, rows: Sequence[Sequence[object]] = (), *, database: str = DATABASE) -> None:
        """Run an SQL statement, once or for each of many rows. The server does not use strict mode."""
        with self._connection(database) as connection, connection.cursor() as cursor:
            if rows:
                cursor.executemany(statement, rows)
            else:
                cursor.execute(statement)

    def start(self) -> None:
        """Start the server and wait until it answers. Can be called again after `stop`."""
        command = (
            *self._command(),
            f"--socket={self.socket_path}",
            f"--bind-address={ADDRESS}",
            f"--port={self.port}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-name-resolve",
        )
        self._run(command, self._environment(), self._is_listening)

    def _make_system_tables(self) -> None:
        (self.folder / "data/mysql").mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        sql = "USE mysql;\n" + "\n".join((self.paths.data / name).read_text("utf-8") for name in SYSTEM_TABLES)
        done = subprocess.run(
            (*self._command(), "--bootstrap", "--innodb-fast-shutdown=2"),
            input=sql.encode(),
            capture_output=True,
            check=False,
            timeout=START_SECONDS,
            env=self._environment(),
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"cannot create MariaDB's system tables:\n{done.stderr.decode(errors='replace')[-2000:]}"
            )

    def _is_listening(self) -> bool:
        """Return whether the server listens on its Unix socket, which is opened after the port."""
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            try:
                probe.connect(str(self.socket_path))
            except OSError:
                return False
        return True

    def _command(self) -> tuple[str, ...]:
        return (
            str(self.paths.program),
            "--no-defaults",
            *(("--user=root",) if os.geteuid() == 0 else ()),
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder / 'tmp'}",
            f"--lc-messages-dir={self.paths.data}",
            f"--character-sets-dir={self.paths.data / 'charsets'}",
            "--innodb-log-file-size=4M",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--sql-mode=",
        )

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **({"LD_LIBRARY_PATH": self.paths.libraries} if self.paths.libraries else {})}

    @contextmanager
    def _connection(self, database: str) -> Iterator[pymysql.Connection[pymysql.cursors.Cursor]]:
        connection = pymysql.connect(
            unix_socket=str(self.socket_path), user="root", database=database, charset="utf8mb4", autocommit=True
        )
        with closing(connection):
            yield connection
