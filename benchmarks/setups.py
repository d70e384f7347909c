"""Measures how many calls per second a real Asterisk sets up, with and without screening, and the CPU time per call.

An Asterisk has three numbers with the same dialplan. Calls to the first number query CallSieve, calls to the second a
FastAGI handler that does nothing, and calls to the third no server. SIPp keeps so many calls open that Asterisk is
never idle. The rate that Asterisk then achieves is measured.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from benchmarks.callers import callers
from benchmarks.figures import Budget, Figure, alternate
from benchmarks.processes import ROOT, empty_server, process_cpu_seconds, running_daemon
from benchmarks.workbench import Workbench
from lab import Answering, Asterisk, Carrier, Load, Phone

NUMBERS = 1_000_000
CONF = ROOT / "asterisk-conf" / "callsieve.conf"
RATE = 2000.0  # more than Asterisk can do: the limit on open calls decides
OPEN = 40
ROUNDS = 4
SETTLE_SECONDS = 0.3
LEAST = Budget(0.90, "x", at_least=True)
# If the dialplan answers, AGI alone takes more than a tenth of a call. So the reference is the empty handler.
LEAST_OF_EMPTY = Budget(0.95, "x", at_least=True)

ENDINGS = {
    "answer": """\
exten => plain-answer,1,Answer()
 same => n,Wait(5)
 same => n,Hangup()
""",
    "dial": """\
exten => plain-dial,1,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})
 same => n,Hangup()
""",
}
# The steps before it: they query CallSieve or the empty handler.
ASKING = """\
exten => screened-{name},1,Gosub(callsieve,s,1(${{FILTER(0-9A-Za-z+*#,${{EXTEN}})}}))
 same => n,Goto(plain-{name},1)
exten => empty-{name},1,AGI(${{EMPTY_AGI}}/screen)
 same => n,Goto(plain-{name},1)
"""
EXTENSIONS = "\n".join(
    (
        "[from-carrier]",
        *(ending + ASKING.format(name=name) for name, ending in ENDINGS.items()),
        "[from-internal]\nexten => s,1,Hangup()",
    )
)
WAYS = ("screened", "empty", "plain")
UNSCREENED = "unscreened"
ASTERISK, OURS = "asterisk", "daemon"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call.

    Attributes:
        name: The extension that is called.
        what: How the call ends.
        calls: How many calls a round has.
        least: The lowest accepted rate of call set-ups, as a share of the rate without screening.
        least_of_empty: The lowest accepted rate as a share of the rate with the handler that does nothing.
    """

    name: str
    what: str
    calls: int
    least: Budget | None = None
    least_of_empty: Budget | None = None


KINDS = (
    Kind("dial", "calls bridged to a phone", 600, least=LEAST),
    Kind("answer", "calls answered by the dialplan itself", 1500, least_of_empty=LEAST_OF_EMPTY),
)


@dataclass(slots=True)
class Office:
    """The load generator and the servers. `costs`: CPU milliseconds per call, by process and called extension."""

    carrier: Carrier
    pids: Mapping[str, int]
    callers: Sequence[str]
    costs: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def rate(self, extension: str, kind: Kind, turn: int) -> float:
        """Run a round of calls, and return the calls per second. Raise RuntimeError if more than a few calls failed."""
        callers = self.callers[turn * kind.calls :][: kind.calls]
        load = Load(RATE, kind.calls, extension, callers, concurrent=OPEN, talk_seconds=0.02)
        before = {name: process_cpu_seconds(pid) for name, pid in self.pids.items()}
        result = self.carrier.load(load)
        if result.failed > kind.calls // 100:
            raise RuntimeError(
                f"calls to {extension}: {result.failed} of {kind.calls} calls failed: {dict(result.failures)}"
            )
        time.sleep(SETTLE_SECONDS)
        for name, pid in self.pids.items():
            self.costs[name, extension].append(1e3 * (process_cpu_seconds(pid) - before[name]) / kind.calls)
        return result.rate


def measure(bench: Workbench) -> list[Figure]:
    """Measure call set-ups per second, and the CPU time per set-up, for each kind of call."""
    with ExitStack() as stack:
        daemon, ours = stack.enter_context(running_daemon(bench.copy(NUMBERS)))
        empty = stack.enter_context(empty_server())
        variables = {"CALLSIEVE_AGI": daemon.url, "EMPTY_AGI": f"agi://127.0.0.1:{empty.port}"}
        asterisk = stack.enter_context(
            Asterisk(extensions=EXTENSIONS, includes=[CONF], globals=variables, verbose=False)
        )
        stack.enter_context(Phone(asterisk, "201", Answering(ring_seconds=0), trace=False))
        office = Office(Carrier(asterisk), {ASTERISK: asterisk.pid, OURS: ours.pid}, callers(20_000, NUMBERS))
        return [figure for kind in KINDS for figure in _measure(bench, office, kind)]


def _measure(bench: Workbench, office: Office, kind: Kind) -> list[Figure]:
    bench.say(f"setups: {kind.what}")
    office.rate(f"plain-{kind.name}", kind, 0)
    office.costs.clear()
    extensions = [f"{way}-{kind.name}" for way in WAYS]
    screened, empty, plain = alternate(
        bench.rounds(ROUNDS), *[partial(office.rate, extension, kind) for extension in extensions]
    )
    asterisk = [office.costs[ASTERISK, extension] for extension in extensions]
    daemon = office.costs[OURS, extensions[0]]
    asked = "the empty handler"
    return [
        Figure(f"{kind.what}, screened", screened, "/s", plain, UNSCREENED, kind.least),
        Figure(f"{kind.what}, screened", screened, "/s", empty, "an empty handler", kind.least_of_empty),
        Figure(f"{kind.what}, {asked}", empty, "/s", plain, UNSCREENED),
        Figure(f"CPU time of Asterisk, {kind.what}", asterisk[0], "ms", asterisk[2], UNSCREENED, note="screened"),
        Figure(f"CPU time of Asterisk, {kind.what}", asterisk[1], "ms", asterisk[2], UNSCREENED, note=asked),
        Figure(f"CPU time of the daemon, {kind.what}", daemon, "ms"),
    ]
