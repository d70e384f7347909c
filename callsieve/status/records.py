"""The status as `--json` and the API write it."""

from collections.abc import Mapping
from dataclasses import dataclass

from callsieve.calls.records import CallDecision
from callsieve.health import Check, ScreeningState
from callsieve.status.views import ACTIONS, JournalSummary, Status
from reputation.encoding import Instant
from reputation.wording import Wording


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """The active policy.

    Attributes:
        name: Its name, null if unknown.
        observing: It decides and records, but changes no call.
    """

    name: str | None
    observing: bool | None


@dataclass(frozen=True, slots=True)
class LastHour:
    """The decisions of the last hour.

    Attributes:
        calls: How many there were.
        by_action: How many of each action; in observe mode, of the action that was not taken.
        failed_open: How many calls went on because something failed.
    """

    calls: int
    by_action: Mapping[str, int]
    failed_open: int


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The daemon's last report about itself.

    Attributes:
        listen: Where it listens.
        started_at: When it started.
        said_at: When it last reported.
    """

    listen: str | None
    started_at: Instant | None
    said_at: Instant | None


@dataclass(frozen=True, slots=True)
class ListenerState:
    """Whether Asterisk tells the daemon how calls end.

    Attributes:
        configured: The settings have a manager user.
        connected: It is logged in there, null if unknown.
        trouble: Why it is not; empty if it is.
    """

    configured: bool
    connected: bool | None
    trouble: str


@dataclass(frozen=True, slots=True)
class SettingsState:
    """The settings file.

    Attributes:
        file: The file that was read; null if there is no file.
        error: The error in it; null if it has no error.
        state: The state directory.
    """

    file: str | None
    error: str | None
    state: str


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """Whether calls are screened, and what is wrong.

    Attributes:
        version: The version of CallSieve.
        at: When this was checked.
        screening: Whether calls are screened, as a word.
        screened: The same as yes or no; null if it is unknown or depends on the trunk.
        well: Calls are screened, and nothing must be fixed.
        why: Why calls are not screened; empty if they are.
        since: When this state began, if known.
        until: When it ends by itself; null if it does not.
        confirmed_at: When calls were last known to come through: the latest decision, or a check of the trunks.
        policy: The policy in force.
        last_call: The latest decision; null for a viewer, who sees no numbers.
        last_hour: The decisions of the last hour; null if the store cannot be read.
        daemon: The daemon's report about itself.
        listener: Whether Asterisk tells the daemon how calls end.
        trouble: The problems, the worst first.
        not_known: Checks whose result is not known.
        settings: The settings.
    """

    version: str
    at: Instant
    screening: ScreeningState
    screened: bool | None
    well: bool
    why: str | Wording
    since: Instant | None
    until: Instant | None
    confirmed_at: Instant | None
    policy: ActivePolicy
    last_call: CallDecision | None
    last_hour: LastHour | None
    daemon: DaemonState
    listener: ListenerState
    trouble: tuple[Check, ...]
    not_known: tuple[Check, ...]
    settings: SettingsState


def system_status(status: Status, version: str) -> SystemStatus:
    """Return the status in the form of `--json` and the API."""
    journal, report, loaded, screening = status.journal, status.told, status.loaded, status.screening
    listening = report.listening if report is not None else None
    return SystemStatus(
        version=version,
        at=screening.at,
        screening=screening.state,
        screened=status.is_screened,
        well=status.is_well,
        why=screening.why,
        since=screening.since,
        until=screening.until,
        confirmed_at=screening.confirmed_at,
        policy=ActivePolicy(screening.policy, status.observing),
        last_call=None if journal is None else journal.last_call,
        last_hour=None if journal is None else _last_hour(journal),
        daemon=DaemonState(status.listen, *((report.started_at, report.at) if report is not None else (None, None))),
        listener=ListenerState(
            bool(loaded.settings.ami.username) if not status.settings_error else listening is not None,
            status.is_listening,
            listening.trouble if listening is not None else "",
        ),
        trouble=status.trouble,
        not_known=status.not_known,
        settings=SettingsState(
            str(loaded.file) if loaded.file else None, status.settings_error or None, str(loaded.state)
        ),
    )


def _last_hour(journal: JournalSummary) -> LastHour:
    counted = journal.last_hour
    return LastHour(counted.total(), {action: counted[action] for action in ACTIONS}, journal.failed_open)
