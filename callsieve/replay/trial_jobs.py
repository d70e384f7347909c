"""Run trials of drafts for the console, one at a time, each in a separate process. Pages only read the progress."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from callsieve.replay.trial import MOST_SECONDS, TrialRequest
from callsieve.settings import Loaded
from reputation.wording import Wording

LINE_BYTES = 4 << 20  # for a report with many mistakes
WAIT_SECONDS = MOST_SECONDS * 4  # with its low priority it may get only a part of the processor
TOOK_TOO_LONG = "stopped after {} s: choose fewer days"
FAILED = "the trial ended without a report: the console's log has the details"


@dataclass(slots=True)
class TrialJob:
    """A trial of a draft or preset.

    `digest`: the digest of the tried text. `preset`: the name of the preset; empty for a draft. `share`: the finished
    share, 0 to 1. `report`: the result at the end, unless there is a `problem`.
    """

    who: str
    digest: str
    days: int
    running: str
    began_at: float
    preset: str = ""
    share: float = 0.0
    report: Mapping[str, Any] | None = None
    problem: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the trial has ended."""
        return self.report is not None or bool(self.problem)


class TrialJobs:
    """The running trial, or the last trial if none is running."""

    def __init__(self) -> None:
        self.latest: TrialJob | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a trial is running."""
        return self._task is not None and not self._task.done()

    def start(self, loaded: Loaded, job: TrialJob, draft: str) -> bool:
        """Start a trial. Return False if another trial is running."""
        if self.is_running:
            return False
        config = str(loaded.file) if loaded.file else None
        request = TrialRequest(config, str(loaded.state), draft, job.days, job.began_at)
        self.latest = job
        self._task = asyncio.create_task(_run(job, request), name="trial")
        return True

    async def close(self) -> None:
        """Stop the running trial."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _run(job: TrialJob, request: TrialRequest) -> None:
    pipe = asyncio.subprocess.PIPE
    words = (sys.executable, "-P", "-m", "callsieve.replay.trial")
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=LINE_BYTES)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await _follow(job, process, msgspec.json.encode(request))
    except TimeoutError:
        job.problem = TOOK_TOO_LONG.format(WAIT_SECONDS)
    except asyncio.CancelledError:
        job.problem = "the trial was stopped"
        raise
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _follow(job: TrialJob, process: asyncio.subprocess.Process, request: bytes) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(request)
        await process.stdin.drain()
    process.stdin.close()
    async for line in process.stdout:
        message = msgspec.json.decode(line)
        job.share = message.get("share", job.share)
        job.report = _with_wordings(message.get("report"))
        job.problem = message.get("problem", "")
    if not job.is_over:
        spent = -(process.returncode or await process.wait()) == signal.SIGXCPU  # it has used up its processor time
        job.problem = TOOK_TOO_LONG.format(MOST_SECONDS) if spent else FAILED


def _with_wordings(report: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if report is None:
        return None
    reasons = {key: [[Wording(**parts) for parts in why] for why in report[key]] for key in ("why", "why_warned")}
    return {**report, **reasons}
