"""What health checks found: the values that doctor, status, digest, /metrics and every page of the console show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reputation.encoding import Instant
from reputation.wording import Wording

OFF_SWITCH = "off switch"
EMERGENCY_WINDOW = "emergency window"


class CheckStatus(StrEnum):
    """`fail`: calls are not screened, or something is unsafe. `warn`: they are, but not as well as they could."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """What a check of the doctor's found.

    Attributes:
        name: The name of the check.
        status: How it is.
        detail: What was found.
        remedy: What to do about it; empty for nothing.
        at: When it was looked at.
        stored: Root found it, who may look at more than we may.
    """

    name: str
    status: CheckStatus
    detail: str | Wording
    remedy: str | Wording = ""
    at: Instant = 0.0
    stored: bool = False


class ScreeningState(StrEnum):
    """What becomes of a call that comes in now. In all states but `on` and `observing` it is not screened.

    `waiting`: everything runs, and no call was screened yet. `not_connected`: no trunk sends its calls to CallSieve.
    """

    ON = "on"
    OBSERVING = "observing"
    WAITING = "waiting"
    OFF = "off"
    EMERGENCY = "emergency"
    NOT_CONNECTED = "not_connected"
    FAILING = "failing"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ScreeningStatus:
    """Whether calls are screened: what the pill on every page of the console shows.

    Attributes:
        state: The state.
        at: When it was found out.
        policy: The name of the policy in force, None where it is not known.
        since: When the state began, as far as that is known.
        until: When the state ends by itself, None for not at all.
        why: Why calls are not screened; empty where they are.
        remedy: What to do about it; empty for nothing.
        is_partial: Some trunks send their calls to CallSieve, and some do not.
    """

    state: ScreeningState
    at: float = 0.0
    policy: str | None = None
    since: float | None = None
    until: float | None = None
    why: str | Wording = ""
    remedy: str | Wording = ""
    is_partial: bool = False

    @property
    def daemon_answers(self) -> bool:
        """Return whether the daemon is known to run and to decide about calls."""
        return self.state not in (ScreeningState.DOWN, ScreeningState.FAILING, ScreeningState.UNKNOWN)


WORST_FIRST = (CheckStatus.FAIL, CheckStatus.WARN, CheckStatus.UNKNOWN, CheckStatus.OK)


def troubles(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks that need a look, what must be put right first."""
    found = list(checks)
    return tuple(one for status in (CheckStatus.FAIL, CheckStatus.WARN) for one in found if one.status is status)


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """What the checks found at an instant; none before the first time. `is_central`: this is a central console."""

    at: float = 0.0
    checks: tuple[Check, ...] = ()
    is_central: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything was looked at yet."""
        return bool(self.checks)

    @property
    def worst(self) -> CheckStatus:
        """The worst of all."""
        found = {check.status for check in self.checks}
        return next((status for status in WORST_FIRST if status in found), CheckStatus.UNKNOWN)

    @property
    def worst_first(self) -> tuple[Check, ...]:
        """What needs a look before what does not."""
        return tuple(sorted(self.checks, key=lambda check: WORST_FIRST.index(check.status)))

    @property
    def ill(self) -> int:
        """How many need a look."""
        return len(troubles(self.checks))

    def of(self, name: str) -> Check | None:
        """The check of this name."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def off(self) -> Check | None:
        """That screening is switched off; None when it is on or nobody knows."""
        return self._warning_of(OFF_SWITCH)

    @property
    def window(self) -> Check | None:
        """That the window after an emergency call is open; None when it is closed or nobody knows."""
        return self._warning_of(EMERGENCY_WINDOW)

    def _warning_of(self, name: str) -> Check | None:
        check = self.of(name)
        return check if check is not None and check.status is CheckStatus.WARN else None
