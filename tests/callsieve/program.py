"""The command line as an administrator meets it: `callsieve` with a state directory and settings of its own."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from callsieve.main.cli import whole_command_line
from callsieve.main.entry import main
from lab.programs import COMMAND_LINE
from reputation.model import AuthClass, CallerKind, DecisionRecord
from tests.office import CALLER, NOBODY, ROOT, Office


def all_commands() -> Any:
    """The command line with every command imported."""
    return whole_command_line()


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


class Terminal(io.StringIO):
    """What a person reads or types."""

    def isatty(self) -> bool:
        return True


class Program(Office):
    """`program("list", "show")` runs in this process; `program.process(...)` is a program of its own."""

    @property
    def environment(self) -> Mapping[str, str]:
        """And who runs it, where."""
        return {
            **super().environment,
            "TZ": "UTC",
            "LOGNAME": "joe",
            "SUDO_USER": "",
            "PYTHONWARNINGS": "default",
        }

    def __call__(
        self, *arguments: str | Path, typed: str | None = None, piped: str = "", most_bytes: int | None = None
    ) -> Result:
        """`typed`: what somebody types at a terminal, where the command then runs; `piped`: standard input else.

        `most_bytes`: no file may grow beyond that, as on a disk that is full.
        """
        stream = io.StringIO if typed is None else Terminal
        out, err = stream(), stream()
        code: object = None
        groups = os.getgroups()
        with (
            full_at(most_bytes),
            patch.dict(os.environ, self.environment),
            patch.object(sys, "stdin", stream(typed or piped)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code
            finally:
                if os.getuid() == 0 != os.geteuid():  # a command of root acts as the owner of the state directory
                    os.seteuid(0)
                    os.setegid(0)
                    os.setgroups(groups)
        assert isinstance(code, int)
        return Result(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments: str | Path) -> str:
        """What the command printed; it must end well."""
        result = self(*arguments)
        assert result.code == 0, result.err
        return result.out

    def fails(self, *arguments: str | Path) -> str:
        """The one line that the command ended with; it must end with exit code 2 and print nothing else."""
        result = self(*arguments)
        assert result.code == 2, result
        assert result.out == ""
        return one_line(result.err)

    def process(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        seconds: float = 60.0,
        **environment: str,
    ) -> Result:
        """A real process, which takes half a second more than a call of the program in this one."""
        done = subprocess.run(
            (sys.executable, "-m", COMMAND_LINE, *map(str, arguments)),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=seconds,
            env={**self.environment, **environment},
            cwd=ROOT,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def as_nobody(self, *arguments: str | Path) -> Result:
        """The same without root's rights, to whom permissions count for nothing.

        Once before as root, elsewhere, so that all is imported that may be root's to read.
        """
        if os.geteuid() != 0:
            return self(*arguments)
        with TemporaryDirectory() as elsewhere:
            warm = Program(Path(elsewhere))
            warm.ok("list", "add", "block", CALLER)
            warm(*arguments)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            return self(*arguments)
        finally:
            os.setresuid(0, 0, 0)

    def start(self, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """A real process that goes on; SIGINT reaches it as from a terminal."""
        return subprocess.Popen(
            (sys.executable, "-m", COMMAND_LINE, *map(str, arguments)),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


def make_record(decision_id: str = "7KQ2M4XA", **fields: Any) -> DecisionRecord:
    """A decision of the journal."""
    known: dict[str, Any] = {
        "id": decision_id,
        "at": time.time() - 60,
        "linkedid": "1767258007.12",
        "caller": CALLER,
        "caller_kind": CallerKind.NUMBER,
        "auth_class": AuthClass.UNKNOWN,
        "did": "+442071838750",
        "trunk": "carrier",
        "callee": None,
        "action": "tag",
        "would_be": "tag",
        "rule": "level-tag",
        "reason": "there is some evidence against this number",
        "level": "tag",
        "log_odds": 1.5,
        "vector": '{"families": [{"family": "feeds", "log_odds": 1.5, "counts": {"spam": 1, "ok": 0}}], '
        '"would_change": [{"what": "the number\'s owner is verified", "level": "none"}]}',
        "policy": "cautious",
        "elapsed_ms": 0.7,
    }
    return DecisionRecord(**(known | fields))


def one_line(text: str) -> str:
    """The text, which must be one line of the program's."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("callsieve: "), text
    assert "Traceback" not in text
    return lines[0].removeprefix("callsieve: ")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, what it said, and how much memory it held at most."""

    code: int
    out: str
    err: str
    peak_kilobytes: int


def ended(process: subprocess.Popen[bytes], typed: Iterable[bytes] = ()) -> Ended:
    """Sends a process of `Program.start` what is typed, as far as it reads it, and waits for its end.

    Its memory is read while it runs (VmHWM): the kernel's `ru_maxrss` counts what pytest held when it forked, too.
    """
    status = Path(f"/proc/{process.pid}/status")
    peak = 0
    with ThreadPoolExecutor(1) as talker:
        said = talker.submit(_talk, process, typed)
        while not said.done():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                if found := re.search(r"VmHWM:\s*(\d+)", status.read_text()):
                    peak = max(peak, int(found[1]))
            time.sleep(0.01)
    out, err = said.result()
    return Ended(process.returncode, out.decode(), err.decode(), peak)


def _talk(process: subprocess.Popen[bytes], typed: Iterable[bytes]) -> tuple[bytes, bytes]:
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.writelines(typed)
        process.stdin = None
    return process.communicate()


@contextmanager
def full_at(most_bytes: int | None) -> Iterator[None]:
    """Inside, no file of this process may grow beyond that, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits if most_bytes is None else (most_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def at_of(text: str) -> float:
    """Return the UTC seconds of an instant as JSON has it."""
    return datetime.fromisoformat(text).timestamp()
