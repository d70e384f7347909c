"""A private PostgreSQL on a loopback port, during the `with` block. PostgreSQL refuses to run as root.

    with PostgreSql() as server:  server.run("SELECT 1"); server.address(database="hub")

A `postgres` of version 17 or later on PATH is used. Otherwise Debian's package is unpacked in the cache (19 MB to
fetch).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab.certificates import Authority, make_key
from lab.children import stop_server
from lab.debian import Bundle, LabUnavailable, Progress, unpacked
from lab.private_server import ADDRESS, START_SECONDS, STOP_SECONDS, PrivateServer
from lab.tools import library_path

# Not `postgresql`: the package that it depends on may be installed already, and then nothing would be fetched.
SERVER = Bundle("postgresql", ("postgresql-17",))
TLS_NAME = "hub.example.com"  # the host name in its certificate
ADMINISTRATOR = "postgres"
DATABASE = "postgres"
LEAST_VERSION = 17
NOBODY = 65534
# Starts fast and stays small. It may lose data at a power cut, which does not matter in tests.
OPTIONS = {
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "autovacuum_naptime": "10s",
    "listen_addresses": ADDRESS,
    "dynamic_shared_memory_type": "mmap",
    "logging_collector": "off",
    "timezone": "UTC",
}
# Options of a server that has a replica.
REPLICATED = {"wal_level": "replica", "max_wal_senders": "4"}


@dataclass(frozen=True, slots=True)
class ServerPaths:
    """The folder of PostgreSQL's programs, and the paths of its libraries."""

    programs: Path
    libraries: str = ""


def ensure_postgresql(progress: Progress = lambda line: None) -> ServerPaths:
    """Return the paths of PostgreSQL, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    server, initdb = shutil.which("postgres"), shutil.which("initdb")
    if server and initdb and _version_of(server) >= LEAST_VERSION:
        return ServerPaths(Path(server).parent)
    root = unpacked(SERVER, progress)
    servers = sorted(root.glob("usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.parent.parent.name))
    if servers:
        return ServerPaths(servers[-1].parent, library_path(root))
    raise LabUnavailable(f"the packages {' '.join(SERVER.packages)} contain no postgres: install postgresql yourself")


class PostgreSql(PrivateServer):
    """A running, empty PostgreSQL. `tls`: whether it has a certificate for TLS_NAME, signed by `authority_file`.

    `also_at`: a second address on which the server listens, for clients in network namespaces. Such clients need TLS.
    """

    name = "postgresql"

    def __init__(self, *, tls: bool = False, also_at: str = "", options: dict[str, str] | None = None) -> None:
        super().__init__()
        self.paths = ensure_postgresql()
        self.password = secrets.token_hex(8)
        self._tls = tls
        self._also_at = also_at
        self._options = {**OPTIONS, **(options or {})}

    def _set_up(self) -> None:
        self._make()
        self.start()

    @property
    def authority_file(self) -> Path:
        """The certificate of the authority that signed the server's certificate. It exists only with `tls`."""
        return self.folder / "authority.pem"

    def address(
        self, *, user: str = ADMINISTRATOR, password: str = "", database: str = DATABASE, port: int = 0, query: str = ""
    ) -> str:
        """Return a URL for connecting. `port`: the port of a proxy in front of the server; 0: without a proxy."""
        word = quote(password or self.password, safe="")
        place = f"{ADDRESS}:{port or self.port}/{database}"
        return f"postgresql://{quote(user, safe='')}:{word}@{place}{'?' if query else ''}{query}"

    def run(self, statement: str, values: Sequence[object] = (), *, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Run an SQL statement as the administrator, and return the rows of the result."""
        with psycopg.connect(self.address(database=database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server and wait until it answers. Can be called again after `stop` or `kill`."""
        with suppress(FileNotFoundError):
            (self.folder / "data/postmaster.pid").unlink()  # left by a killed server, whose child processes ended too
        command = (*_nobody(), str(self.paths.programs / "postgres"), "-D", str(self.folder / "data"))
        self._run(command, self._environment(), self._is_ready)

    def stop(self) -> None:
        """Stop the server and end all connections. Do nothing if the server is not running."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            if process is not None:
                process.wait(STOP_SECONDS)
        stop_server(process, 1.0)

    def kill(self) -> None:
        """Kill all processes of the server at once, as in a power cut."""
        process, self._process = self._process, None
        assert process is not None
        pids = _with_children(process.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in pids):  # remaining child processes hold the shared memory
            time.sleep(0.01)

    def send_signal(self, number: int) -> None:
        """Send a signal to all server processes. SIGSTOP freezes the server."""
        assert self._process is not None
        for pid in _with_children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def pids(self) -> list[int]:
        assert self._process is not None
        return _with_children(self._process.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU time of all server processes, including processes that have ended."""
        assert self._process is not None
        ticks = 0
        for pid in _with_children(self._process.pid):
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
                own, ended = fields[11:13], fields[13:15]  # utime stime, cutime cstime (proc(5))
                ticks += sum(map(int, own)) + (sum(map(int, ended)) if pid == self._process.pid else 0)
        return ticks / os.sysconf("SC_CLK_TCK")

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _make(self) -> None:
        data, word = self.folder / "data", self.folder / "word"
        data.mkdir(mode=0o700)
        word.write_text(self.password)
        self._give_away(self.folder, data, word)
        initdb = (str(self.paths.programs / "initdb"), "-D", str(data), "-U", ADMINISTRATOR, f"--pwfile={word}")
        command = (*_nobody(), *initdb, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")
        self._fill(command)
        options = {**self._options, "port": str(self.port), "unix_socket_directories": ""}
        if self._tls:
            options |= self._certificate(data)
        if self._also_at:
            options["listen_addresses"] = f"{ADDRESS},{self._also_at}"
            with (data / "pg_hba.conf").open("a") as file:
                file.write("hostssl all all all scram-sha-256\n")
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())

    def _fill(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=START_SECONDS,
            env=self._environment(),
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"cannot create PostgreSQL's data directory:\n{done.stderr.decode(errors='replace')[-2000:]}"
            )

    def _certificate(self, data: Path) -> dict[str, str]:
        authority, key = Authority.make("CallSieve lab"), make_key()
        self.authority_file.write_text(authority.root())
        certificate, private = data / "server.pem", data / "server.key"
        certificate.write_text(authority.issue_server(TLS_NAME, key.public_key()))
        private.touch(0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._give_away(certificate, private)
        return {"ssl": "on", "ssl_cert_file": certificate.name, "ssl_key_file": private.name}

    def _is_ready(self) -> bool:
        with closing(socket.socket()) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect((ADDRESS, self.port))
            except OSError:
                return False
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _give_away(self, *files: Path) -> None:
        if os.geteuid() == 0:
            for file in files:
                os.chown(file, NOBODY, NOBODY)

    def _environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return {**clean, **({"LD_LIBRARY_PATH": self.paths.libraries} if self.paths.libraries else {})}


class Replica(PostgreSql):
    """A streaming replica of a server that was started with the options REPLICATED."""

    def __init__(self, primary: PostgreSql) -> None:
        super().__init__()
        self.password = primary.password
        self._primary = primary

    def has_all(self) -> bool:
        """Return whether the replica has replayed everything that its primary server has written so far."""
        ((written,),) = self._primary.run("SELECT pg_current_wal_lsn()::text")
        ((has_it,),) = self.run("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,))
        return bool(has_it)

    def promote(self) -> None:
        """Make the replica the primary, with the data that it has replayed."""
        self.run("SELECT pg_promote()")

    def _make(self) -> None:
        self._give_away(self.folder)
        data = self.folder / "data"
        copy = (str(self.paths.programs / "pg_basebackup"), "-D", str(data), "-d", self._primary.address())
        self._fill((*_nobody(), *copy, "-R", "-X", "stream", "-c", "fast", "--no-sync"))
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"port = '{self.port}'\n")


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *map(int, children)]


def _version_of(server: str) -> int:
    """Return the server's major version; 0 if it cannot be read."""
    done = subprocess.run((server, "--version"), capture_output=True, text=True, check=False, timeout=START_SECONDS)
    version = re.search(r"PostgreSQL\) (\d+)", done.stdout)
    return int(version[1]) if version else 0


def _nobody() -> tuple[str, ...]:
    """Return a command prefix that runs a command as another user if this process runs as root; else empty."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LabUnavailable("PostgreSQL refuses to run as root: install setpriv (package util-linux)")
    return (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
