"""Many calls at a given rate for benchmarks. SIPp counts set-ups per second, failures and retransmissions."""

from __future__ import annotations

import csv
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab import scenario
from lab.fetch import PbxPaths
from lab.ports import free_port
from lab.sipp import SippError, SippJob, SippProcess

# How long calls may take to end after the start of the last call: SIP abandons a request after 32 s.
SETTLE_SECONDS = 35.0


# Options with which SIPp records every set-up time.
EACH = ("-trace_rtt", "-rtt_freq", "1")


@dataclass(frozen=True, slots=True)
class Load:
    """Calls to a DID: `calls` in all, `rate` per second, at most `concurrent` at once.

    The numbers in `callers` are used in turn. `expected` is the status code of the final response that counts as
    success: 200 or a refusal. An answered call lasts `talk_seconds`. `key` is pressed `key_after` seconds after the
    answer, by SIP INFO, so the trunk's dtmf_mode must be info.
    """

    rate: float
    calls: int
    did: str
    callers: Sequence[str]
    concurrent: int = 1000
    expected: int = 200
    talk_seconds: float = 0.2
    options: Sequence[str] = ()
    key: str = ""
    key_after: float = 1.0


@dataclass(frozen=True, slots=True)
class LoadResult:
    """SIPp's statistics of a load. `seconds`: from SIPp's start to the end of the last call.

    Set-up times are in seconds, from INVITE to the final response, with SIPp's accuracy of about a millisecond.
    `setups` has the time of every call if the load's `options` include EACH. `failures`: how many calls failed, by
    reason.
    """

    calls: int
    succeeded: int
    failed: int
    retransmissions: int
    seconds: float
    peak_concurrent: int
    setup_mean: float
    setup_deviation: float
    failures: Mapping[str, int] = field(default_factory=dict)
    setups: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """How many calls per second succeeded on average."""
        return self.succeeded / self.seconds if self.seconds else 0.0


def run_load(paths: PbxPaths, address: str, target: tuple[str, int], load: Load) -> LoadResult:
    """Place the calls of a load from a loopback address. Raise SippError if SIPp fails."""
    # Audio goes to a socket that nobody reads: the kernel drops it, and Asterisk sees no unreachable port.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind((address, 0))
        job = SippJob(
            scenario=scenario.load_call(
                expected=load.expected, hang_up_after=load.talk_seconds, key=load.key, key_after=load.key_after
            ),
            address=address,
            port=free_port(address, socket.SOCK_DGRAM),
            target=target,
            calls=load.calls,
            seconds=load.calls / load.rate + load.talk_seconds + load.key_after + SETTLE_SECONDS,
            keys={
                "request_user": load.did,
                "did": load.did,
                "contact_user": "carrier",
                "audio_port": str(sink.getsockname()[1]),
            },
            files={"callers.csv": "\n".join(("SEQUENTIAL", *load.callers)) + "\n"},
            options=(*_options(load), *load.options),
            trace=False,
        )
        process = SippProcess(paths, job)
        try:
            process.wait()
            setups = [time for file in process.directory.glob("*_rtt.csv") for time in setup_times(file)]
            return replace(load_statistics(process.directory / "load.csv"), setups=setups)
        finally:
            process.remove()


def _options(load: Load) -> list[str]:
    # SIPp takes a whole number of calls per period, so a period of 10 s gives rates to a tenth.
    rate = ["-r", str(round(load.rate * 10)), "-rp", "10000", "-l", str(load.concurrent)]
    return [*rate, "-inf", "callers.csv", "-trace_stat", "-stf", "load.csv", "-fd", "1"]


def load_statistics(path: Path) -> LoadResult:
    """Parse SIPp's statistics: one row per second, with cumulative (C) columns. The last row has the totals."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    if not rows:
        raise SippError("SIPp wrote no row of statistics")
    last = rows[-1]
    failures = {
        name.removeprefix("Failed").removesuffix("(C)"): int(count)
        for name, count in last.items()
        if name and name.startswith("Failed") and name.endswith("(C)") and name != "FailedCall(C)" and int(count)
    }
    return LoadResult(
        calls=int(last["TotalCallCreated"]),
        succeeded=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        retransmissions=int(last["Retransmissions(C)"]),
        seconds=_epoch(last["CurrentTime"]) - _epoch(last["StartTime"]),
        peak_concurrent=max(int(row["CurrentCall"]) for row in rows),
        setup_mean=_duration(last["ResponseTimesetup(C)"]),
        setup_deviation=_duration(last["ResponseTimesetupStDev(C)"]),
        failures=failures,
    )


def setup_times(path: Path) -> list[float]:
    """Return the response times in SIPp's file, in seconds. The file has one line per response, in milliseconds."""
    with path.open(encoding="utf-8", newline="") as file:
        return [float(row["response_time_ms"]) / 1000 for row in csv.DictReader(file, delimiter=";")]


def _epoch(stamp: str) -> float:
    """Return the epoch seconds at the end of SIPp's `date TAB time TAB epoch seconds`."""
    return float(stamp.split("\t")[-1])


def _duration(text: str) -> float:
    hours, minutes, seconds, microseconds = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + seconds + microseconds / 1e6
