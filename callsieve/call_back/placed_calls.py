"""The calls that the helper has placed, kept over restarts: limits are counted from them.

Within one boot they are dated by a clock that nobody can set (CLOCK_BOOTTIME). Over a boot there is only the time of
day: a call that is still to come by it was placed just now.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from callsieve.call_back.limits import DAY, PlacedCall
from callsieve.system.files import complete_file
from policies.files import open_regular

STATE_FILE = "calls.json"
MODE = 0o600
MOST_BYTES = 1 << 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StateError(Exception):
    """What was placed is not known, so nobody is called. The text says what to do."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call: seconds since boot, UTC seconds, and the keyed digest of its number."""

    uptime: float
    at: float
    who: str


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`boot`: the boot in which it was written. `key`: of the digests, so that the file has no numbers."""

    boot: str
    key: str
    calls: tuple[_Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Clocks:
    """`boot` names the boot whose seconds `uptime` counts; `wall` is in UTC seconds."""

    boot: str
    uptime: Callable[[], float]
    wall: Callable[[], float] = time.time


def machine_clocks() -> Clocks:
    """Those of this machine. OSError."""
    return Clocks(_BOOT_ID.read_text("ascii").strip(), lambda: time.clock_gettime(time.CLOCK_BOOTTIME))


class PlacedCalls:
    """Those of the last day. StateError where the file cannot be read or is damaged."""

    def __init__(self, directory: Path, clocks: Clocks) -> None:
        self._path, self._clocks = directory / STATE_FILE, clocks
        state = _read(self._path) or _State(clocks.boot, secrets.token_hex(16))
        self._key = state.key
        now, wall = clocks.uptime(), clocks.wall()
        self.calls = tuple(
            PlacedCall(
                min(one.uptime, now) if state.boot == clocks.boot else now - max(0.0, wall - one.at),
                one.who,
            )
            for one in state.calls
        )

    def who(self, number: str) -> str:
        """What stands for the number."""
        return hmac.digest(self._key.encode(), number.encode(), "sha256").hex()[:32]

    def now(self) -> float:
        """The instant, on the clock of `calls`."""
        return self._clocks.uptime()

    def wall(self) -> float:
        """The time of day, in UTC seconds."""
        return self._clocks.wall()

    def add(self, number: str) -> None:
        """A call is placed now: in the file before it is made. OSError."""
        now, wall = self._clocks.uptime(), self._clocks.wall()
        lately = tuple(one for one in self.calls if now - one.at < DAY)
        calls = (*lately, PlacedCall(now, self.who(number)))
        kept = tuple(_Kept(one.at, wall - (now - one.at), one.who) for one in calls)
        with complete_file(self._path, MODE, (os.geteuid(), os.getegid())) as file:
            file.write(msgspec.json.encode(_State(self._clocks.boot, self._key, kept)))
        self.calls = calls


def _read(path: Path) -> _State | None:
    """None: nothing was placed yet."""
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=_State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        words = f"{path}: cannot be read ({error}): limits cannot be counted: look why, then remove it"
        raise StateError(words) from None
