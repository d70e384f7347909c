"""Who has a port: seen on this machine's own /proc, and on one where others' processes cannot be looked into."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

from callsieve.system.service_process import address_taken, holder_of, servers_that_run

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:11E2 00000000:0000 0A 00000000:00000000 00:00000000 00000000  {uid}        0 4711 1 0 100 0 0 10 0
   1: 0100007F:11E2 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     7        0 4712 1 0 100 0 0 10 0
"""


def test_listening_process_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        holder = holder_of(server.getsockname()[1])
    user = pwd.getpwuid(os.getuid()).pw_name
    assert holder.endswith(f"(pid {os.getpid()}, user {user})")


def test_inaccessible_process_is_named_by_its_user(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TCP.format(uid=0))
    (tmp_path / "812" / "fd").mkdir(parents=True)
    assert holder_of(0x11E2, tmp_path) == "a process of user root"


def test_unknown_port_holder_is_another_process(tmp_path: Path) -> None:
    assert holder_of(4578, tmp_path) == "another process"
    error = address_taken("127.0.0.1:4578", "[agi] listen", " and run: callsieve asterisk install", tmp_path)
    assert str(error).startswith("127.0.0.1:4578 is in use")
    assert str(error).endswith(": callsieve asterisk install")


def test_running_servers_are_named(tmp_path: Path) -> None:
    commands = {
        "812": ["/opt/callsieve/bin/python3", "/usr/local/bin/callsieve", "web"],
        "813": ["callsieve", "serve", "--config", "x"],
        "814": ["/usr/local/bin/callsieve", "asterisk", "uninstall"],
        "815": ["less", "/opt/callsieve"],
    }
    for process, words in commands.items():
        (tmp_path / process).mkdir()
        (tmp_path / process / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
    (tmp_path / "816").mkdir()  # it has just ended
    assert servers_that_run(tmp_path) == [(812, "web"), (813, "serve")]
