"""Child processes that must not outlive us."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def ends_with_us() -> tuple[str, ...]:
    """A prefix that has the kernel stop the child when we are killed, so that an aborted test run leaves none behind.

    The kernel looks at the thread that started the child, so this is for the main thread only.
    """
    setpriv = shutil.which("setpriv")
    is_main = threading.current_thread() is threading.main_thread()
    return (setpriv, "--pdeathsig", "TERM") if setpriv and is_main else ()


def start_server(
    command: Sequence[str], log: Path, environment: Mapping[str, str], is_listening: Callable[[], bool], seconds: float
) -> subprocess.Popen[bytes]:
    """The process, once it listens; RuntimeError with the end of its log where it does not in so many seconds."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            (*ends_with_us(), *command), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
        )
    deadline = time.monotonic() + seconds
    while not is_listening():
        if process.poll() is not None or time.monotonic() > deadline:
            stop_server(process, 0.0)
            raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.02)
    return process


def stop_server(process: subprocess.Popen[bytes] | None, seconds: float) -> None:
    """Stops it tidily; kills it if that takes longer. Does nothing if there is none."""
    if process is None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
