"""Drafts over the last days, one at a time, each in a process of its own: pages only look how far it is.

trials.start(loaded, TrialJob(...), text) -> bool     False while another one runs
trials.latest -> TrialJob | None                      `share` grows; then `report` or `problem`
"""

from __future__ import annotations

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

LINE_BYTES = 4 << 20  # a report of many mistakes
WAIT_SECONDS = MOST_SECONDS * 4  # behind all others it may get only a part of the processor
TOOK_TOO_LONG = "it took more than {} s and was stopped: take fewer days"
FAILED = "it ended without a report; the console's log says more"


@dataclass(slots=True)
class TrialJob:
    """A trial of a draft, or of a preset.

    Attributes:
        digest: Of the text that is tried.
        preset: Its name; empty for a draft.
        share: How much is done.
        report: What was found, at the end; else `problem`.
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
        """Whether it has ended, well or not."""
        return self.report is not None or bool(self.problem)


class TrialJobs:
    """The running one, or the last."""

    def __init__(self) -> None:
        self.latest: TrialJob | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether one is."""
        return self._task is not None and not self._task.done()

    def start(self, loaded: Loaded, job: TrialJob, draft: str) -> bool:
        """Begins it; False while another one runs."""
        if self.is_running:
            return False
        config = str(loaded.file) if loaded.file else None
        asked = TrialRequest(config, str(loaded.state), draft, job.days, job.began_at)
        self.latest = job
        self._task = asyncio.create_task(_run(job, asked), name="trial")
        return True

    async def close(self) -> None:
        """Ends the running one, if there is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _run(job: TrialJob, asked: TrialRequest) -> None:
    pipe = asyncio.subprocess.PIPE
    words = (sys.executable, "-P", "-m", "callsieve.replay.trial")
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=LINE_BYTES)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await _follow(job, process, msgspec.json.encode(asked))
    except TimeoutError:
        job.problem = TOOK_TOO_LONG.format(WAIT_SECONDS)
    except asyncio.CancelledError:
        job.problem = "the trial was stopped"
        raise
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _follow(job: TrialJob, process: asyncio.subprocess.Process, asked: bytes) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(asked)
        await process.stdin.drain()
    process.stdin.close()
    async for line in process.stdout:
        said = msgspec.json.decode(line)
        job.share = said.get("share", job.share)
        job.report = _with_wordings(said.get("report"))
        job.problem = said.get("problem", "")
    if not job.is_over:
        spent = -(process.returncode or await process.wait()) == signal.SIGXCPU  # what the process may use is used up
        job.problem = TOOK_TOO_LONG.format(MOST_SECONDS) if spent else FAILED


def _with_wordings(report: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The report with its texts as values again: JSON had their parts."""
    if report is None:
        return None
    said = {key: [[Wording(**one) for one in why] for why in report[key]] for key in ("why", "why_warned")}
    return {**report, **said}
