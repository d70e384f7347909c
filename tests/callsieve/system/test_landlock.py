"""What a process may no longer do after `confine`, tried in one of its own: it holds for good."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import ctypes, json, os, signal, socket, sys
from pathlib import Path
from callsieve.system.seccomp import CREATE_RULESET, VERSION_FLAG, confine

folder, port = Path(sys.argv[1]), int(sys.argv[2])
version = ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
confined = confine([folder / "readable", folder / "a.txt", folder / "missing"], [folder / "writable"])
tries = {
    "read": lambda: (folder / "readable/a.txt").read_text(),
    "read-a-file": lambda: (folder / "a.txt").read_text(),
    "write": lambda: (folder / "writable/new.txt").write_text("x"),
    "remove": lambda: (folder / "writable/new.txt").unlink(),
    "read-secret": lambda: (folder / "secret/a.txt").read_text(),
    "list-secret": lambda: os.listdir(folder / "secret"),
    "write-readable": lambda: (folder / "readable/a.txt").write_text("x"),
    "make-a-link": lambda: (folder / "writable/link").symlink_to(folder / "secret"),
    "run": lambda: os.execv("/bin/true", ["true"]),
    "memory-of-another": lambda: open(f"/proc/{os.getppid()}/environ").read(),
    "connect": lambda: socket.create_connection(("127.0.0.1", port), 5).close(),
    "signal": lambda: os.kill(os.getppid(), 0),
}
done = []
for name, attempt in tries.items():
    try:
        attempt()
        done.append(name)
    except PermissionError:
        pass
print(json.dumps([version, confined, done]))
"""
FILES = ["read", "read-a-file", "write", "remove"]
NO_FILES = ["read-secret", "list-secret", "write-readable", "make-a-link"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("readable", "writable", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("a")
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def test_confined_process_reaches_only_what_was_allowed(folder: Path) -> None:
    """As far as the kernel goes: files from version 1 of Landlock on, TCP from 4, signals from 6."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        words = (sys.executable, "-c", SCRIPT, str(folder), str(listener.getsockname()[1]))
        ran = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ""})
    version, confined, done = json.loads(ran.stdout)
    assert confined is (version >= 1)
    allowed = FILES + (["connect"] if version < 4 else []) + (["signal"] if version < 6 else [])
    assert not confined or sorted(done) == sorted(allowed)
