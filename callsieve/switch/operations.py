"""Operations that switch screening off and on. The state is in Asterisk's database, which the dialplan reads first.

The operations do not use the store. So they work without it, and no lock of the store is held while Asterisk is slow.
An operation returns its change as `done`. The interface that called it then records `done` in the audit (`note`).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from callsieve.changes.describe import reason_field
from callsieve.changes.operation import Context, Refused
from callsieve.pbx.cli_client import FOR_EVER, OFF_KEY, ConsoleError, database_del, database_put, off_until
from reputation.encoding import Instant
from reputation.store.audit import Change

SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SECONDS = 366 * 86400
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


class OffSwitch(NamedTuple):
    """The state while screening is off. `until`: when screening starts again automatically; None if it stays off."""

    until: Instant | None
    reason: str


class Switched(NamedTuple):
    """The result of switching. Both fields are None if screening was on already and stays on.

    `until`: when screening is switched on automatically, in UTC seconds; after `switch_on`, when it would have been.
    `done`: the change, for the audit.
    """

    until: int | None
    done: Change | None


def switch_off(context: Context, duration: str | None = None, reason: str = "") -> Switched:
    """Switch screening off for a duration, or until it is switched on. `reason`: one line, shown to other people."""
    reason = reason_field(reason) if reason.strip() else ""
    until = FOR_EVER if duration is None else int(context.at) + seconds_of(duration)
    with _asking_asterisk():
        database_put(context.settings, OFF_KEY, str(until))
    done = OffSwitch(None if until == FOR_EVER else until, reason)
    return Switched(until, Change("off", name=f"for {duration}" if duration else "", after=done))


def switch_on(context: Context) -> Switched:
    """Switch screening on."""
    with _asking_asterisk():
        until = off_until(context.settings)
        database_del(context.settings, OFF_KEY)
    return Switched(until, None if until is None else Change("on"))


def seconds_of(duration: str) -> int:
    """Convert a duration such as `90s`, `30m`, `2h` or `1d` to seconds."""
    match = _DURATION.fullmatch(duration.strip().lower())
    seconds = int(match[1]) * SECONDS_BY_UNIT[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise Refused("bad-duration", f"{duration!r}: write it as 90s, 30m, 2h or 1d, at most one year", "for")
    return seconds


@contextmanager
def _asking_asterisk() -> Iterator[None]:
    try:
        yield
    except ConsoleError as error:
        raise Refused("asterisk-not-reached", str(error)) from None
