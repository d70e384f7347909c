"""Child processes that must not outlive this process."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def ends_with_us() -> tuple[str, ...]:
    """Return a command prefix that makes the kernel stop the child when this process is killed.

    The kernel watches the thread that started the child, so use this in the main thread only.
    """
    setpriv = shutil.which("setpriv")
    is_main = threading.current_thread() is threading.main_thread()
    return (setpriv, "--pdeathsig", "TERM") if setpriv and is_main else ()


def start_server(
    command: Sequence[str], log: Path, environment: Mapping[str, str], is_listening: Callable[[], bool], seconds: float
) -> subprocess.Popen[bytes]:
    """Start a server, and return its process as soon as it listens.

    Raise RuntimeError with the end of its log if it ends or does not listen within `seconds`.
    """
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
    """Stop a process cleanly. Kill the process if it takes longer than `seconds`. Do nothing for None."""
    if process is None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
