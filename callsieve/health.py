"""Results of health checks, as shown by doctor, status, digest, /metrics and the console."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from reputation.encoding import Instant
from reputation.wording import N_, Wording, listed

OFF_SWITCH = "off switch"
EMERGENCY_WINDOW = "emergency window"


class CheckStatus(StrEnum):
    """The status of a check.

    `fail`: calls are not screened, or something is unsafe. `warn`: calls are screened, but something needs attention.
    """

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a health check.

    Attributes:
        name: The name of the check.
        status: The result as a word; `unknown` if the check could not be made.
        detail: The result of the check, as text.
        remedy: How to solve the problem; empty without a problem.
        at: When the check ran.
        stored: Whether the result was stored by an earlier run as root, because the check needs root's rights.
    """

    name: str
    status: CheckStatus
    detail: str | Wording
    remedy: str | Wording = ""
    at: Instant = 0.0
    stored: bool = False

    @property
    def words(self) -> str | Wording:
        """The name of the check in words; for merged checks, all names separated by commas."""
        return listed([Wording(name) for name in self.name.split(", ")], "{some}, {more}")


class ScreeningState(StrEnum):
    """How calls that come in now are treated. STATES describes each state.

    `waiting`: everything runs, and no call was screened yet. `not_connected`: no trunk sends its calls to CallSieve.
    `unknown`: for example, the trunks were not checked since their settings changed.
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


class Tone(StrEnum):
    """The colour and symbol with which a screening state is shown."""

    GOOD = "good"
    CALM = "calm"
    IDLE = "idle"
    CAREFUL = "careful"
    BROKEN = "broken"


class StateKind(NamedTuple):
    """The texts and properties of a screening state. A new state needs an entry in STATES, and code that detects it.

    Attributes:
        label: The text in the console's header.
        headline: The text of `callsieve status`.
        text: The text for phone users, without terms of this project.
        banner: The banner of the console; empty for no banner.
        is_screened: Whether calls are screened; None if unknown.
        is_connected: Whether the trunks are known to send their calls to CallSieve.
        daemon_answers: Whether the daemon is known to run and to decide about calls.
    """

    tone: Tone
    label: str
    headline: str
    text: str
    banner: str = ""
    is_screened: bool | None = False
    is_connected: bool = False
    daemon_answers: bool = True


STATES: Mapping[ScreeningState, StateKind] = {
    ScreeningState.ON: StateKind(
        Tone.GOOD, N_("Screening"), "on", "Calls are screened.", is_screened=True, is_connected=True
    ),
    ScreeningState.OBSERVING: StateKind(
        Tone.CALM,
        N_("Observing"),
        "observing: decides and records, but changes no call",
        "CallSieve only watches: every call rings.",
        is_screened=True,
        is_connected=True,
    ),
    ScreeningState.WAITING: StateKind(
        Tone.CALM,
        N_("Ready: no call yet"),
        "ready, but no call has reached CallSieve yet",
        "CallSieve is ready, and no call has come in yet.",
        is_screened=None,
        is_connected=True,
    ),
    ScreeningState.OFF: StateKind(
        Tone.IDLE,
        N_("Off"),
        "OFF: every call goes on unscreened",
        "Screening is switched off: every call rings.",
        N_("Screening is switched off."),
    ),
    ScreeningState.EMERGENCY: StateKind(
        Tone.CAREFUL,
        N_("Emergency window"),
        "EMERGENCY WINDOW: every call goes on unscreened",
        "Somebody called an emergency number: for a while every call rings.",
    ),
    ScreeningState.NOT_CONNECTED: StateKind(
        Tone.BROKEN,
        N_("Not connected"),
        "NOT CONNECTED: every call goes on unscreened",
        "No call comes through CallSieve: every call rings.",
        N_("No trunk sends its calls through CallSieve. Calls ring unscreened."),
    ),
    ScreeningState.FAILING: StateKind(
        Tone.BROKEN,
        N_("Failing"),
        "FAILING: calls go on unscreened",
        "Something is wrong with CallSieve: every call rings.",
        N_("The daemon cannot decide. Calls ring unscreened."),
        daemon_answers=False,
    ),
    ScreeningState.DOWN: StateKind(
        Tone.BROKEN,
        N_("Down"),
        "DOWN: every call goes on unscreened",
        "CallSieve is not running: every call rings.",
        N_("The daemon does not answer. Calls ring unscreened."),
        daemon_answers=False,
    ),
    ScreeningState.UNKNOWN: StateKind(
        Tone.IDLE,
        N_("Not known"),
        "not known",
        "It is not known whether calls are screened.",
        is_screened=None,
        daemon_answers=False,
    ),
}


@dataclass(frozen=True, slots=True)
class ScreeningStatus:
    """Whether calls are screened, as the header of every console page shows it.

    Attributes:
        policy: The name of the active policy; None if unknown.
        since: When the state began; None if unknown.
        until: When the state ends on its own; None if the state has no end.
        why: Why calls are not screened; empty if calls are screened.
        remedy: How to solve the problem; empty without a problem.
        is_partial: Whether some trunks send their calls to CallSieve, and others do not.
        by: The user who switched screening off, named as in the audit; empty for nobody or unknown.
        reason: The reason that the user in `by` gave.
        confirmed_at: When a decision or a check of the trunks last showed that calls reach CallSieve.
        is_daemon_up: Whether the daemon answered, although the state is unknown for another reason.
    """

    state: ScreeningState
    at: float = 0.0
    policy: str | None = None
    since: float | None = None
    until: float | None = None
    why: str | Wording = ""
    remedy: str | Wording = ""
    is_partial: bool = False
    by: str = ""
    reason: str = ""
    confirmed_at: float | None = None
    is_daemon_up: bool = False

    @property
    def daemon_answers(self) -> bool:
        """Whether the daemon is known to run and to decide about calls."""
        return self.is_daemon_up or self.kind.daemon_answers

    @property
    def kind(self) -> StateKind:
        """The properties and texts of the screening state."""
        return STATES[self.state]


WORST_FIRST = (CheckStatus.FAIL, CheckStatus.WARN, CheckStatus.UNKNOWN, CheckStatus.OK)


def troubles(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks that need attention, failures before warnings."""
    all_checks = list(checks)
    return tuple(
        check for status in (CheckStatus.FAIL, CheckStatus.WARN) for check in all_checks if check.status is status
    )


@dataclass(frozen=True, slots=True)
class HealthCause:
    """Checks with the same status and the same remedy, shown together. `remedy`: empty for checks without a problem."""

    status: CheckStatus
    checks: tuple[Check, ...]
    remedy: str | Wording = ""


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """The results of all checks, which ran at the time `at`. `checks`: empty before the first run.

    `is_central`: whether a central console shows the results.
    """

    at: float = 0.0
    checks: tuple[Check, ...] = ()
    is_central: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the checks have run yet."""
        return bool(self.checks)

    @property
    def worst(self) -> CheckStatus:
        """The most severe status of all checks; UNKNOWN if no check has run yet."""
        statuses = {check.status for check in self.checks}
        return next((status for status in WORST_FIRST if status in statuses), CheckStatus.UNKNOWN)

    @property
    def causes(self) -> tuple[HealthCause, ...]:
        """The checks that need attention, grouped by remedy, the most severe first."""
        by_remedy: dict[tuple[CheckStatus, str], list[Check]] = {}
        for check in troubles(self.checks):
            by_remedy.setdefault((check.status, str(check.remedy) or check.name), []).append(check)
        return tuple(HealthCause(checks[0].status, tuple(checks), checks[0].remedy) for checks in by_remedy.values())

    @property
    def others(self) -> tuple[HealthCause, ...]:
        """The checks that need no attention, each in a group of its own, checks with unknown status first."""
        return tuple(
            HealthCause(status, (check,), check.remedy)
            for status in (CheckStatus.UNKNOWN, CheckStatus.OK)
            for check in self.checks
            if check.status is status
        )

    def of(self, name: str) -> Check | None:
        """Return the check with this name, or None."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def off(self) -> Check | None:
        """The check of the off switch if screening is switched off; otherwise None."""
        return self._warning_of(OFF_SWITCH)

    @property
    def window(self) -> Check | None:
        """The check of the emergency window if the window is open; otherwise None."""
        return self._warning_of(EMERGENCY_WINDOW)

    def _warning_of(self, name: str) -> Check | None:
        check = self.of(name)
        return check if check is not None and check.status is CheckStatus.WARN else None
