"""A running daemon as the dialplan asks it, without an Asterisk: feature codes and the status."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

from agi.quoting import variables_in
from lab.daemon import Daemon


def ask(daemon: Daemon, path: str, *arguments: str) -> dict[str, str]:
    """As the dialplan does."""
    head = [f"agi_network_script: {path}", *(f"agi_arg_{n}: {text}" for n, text in enumerate(arguments, 1))]
    with socket.create_connection(("127.0.0.1", daemon.port), 5.0) as asking:
        asking.sendall("\n".join((*head, "", "")).encode())
        said = b"".join(iter(lambda: asking.recv(4096), b""))
    return variables_in(said)


def dial(daemon: Daemon, phone: str, code: str = "expect") -> str:
    """What the phone hears; nothing when it did not work."""
    return ask(daemon, "mark", f"endpoint={phone}", f"code={code}").get("CALLSIEVE_SAY", "")


def status(daemon: Daemon) -> str:
    """What is wrong, as the doctor is told."""
    return ask(daemon, "status")["CALLSIEVE_REASON"]


def expecting(store: Path) -> set[str]:
    """Who expects a call, by the file that is there."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return {person for (person,) in db.execute("SELECT person FROM expected_call")}
