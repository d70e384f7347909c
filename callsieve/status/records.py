"""The status of screening as `--json` and the API return it."""

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
        name: The name of the policy; null if unknown.
        observing: Whether the policy only observes, so that decisions are recorded but no call is changed.
    """

    name: str | None
    observing: bool | None


@dataclass(frozen=True, slots=True)
class LastHour:
    """The decisions of the last hour.

    Attributes:
        calls: How many decisions there were.
        by_action: How many decisions had each action; in observe mode, the action that calls would have got.
        failed_open: How many calls were let through because something failed.
    """

    calls: int
    by_action: Mapping[str, int]
    failed_open: int


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The daemon's last report about itself.

    Attributes:
        listen: The address on which the daemon listens.
        started_at: When the daemon started.
        said_at: When the daemon last reported.
    """

    listen: str | None
    started_at: Instant | None
    said_at: Instant | None


@dataclass(frozen=True, slots=True)
class ListenerState:
    """Whether the daemon receives events about calls from Asterisk.

    Attributes:
        configured: Whether the settings name a user of Asterisk's manager interface.
        connected: Whether the daemon is logged in to Asterisk; null if unknown.
        trouble: Why the daemon is not logged in; empty if it is logged in.
    """

    configured: bool
    connected: bool | None
    trouble: str


@dataclass(frozen=True, slots=True)
class SettingsState:
    """The settings file.

    Attributes:
        file: The file that was read; null if there is no file.
        error: The error in the file; null if it has no error.
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
        screening: The screening state, such as `on`, `observing` or `off`.
        screened: Whether calls are screened; null if unknown, or if only the calls of some trunks are screened.
        well: Whether calls are screened and nothing must be fixed.
        why: Why calls are not screened; empty if calls are screened.
        since: When this state began, if known.
        until: When this state ends automatically; null if it does not end automatically.
        confirmed_at: When a decision or a check of the trunks last showed that calls reach CallSieve.
        policy: The active policy.
        last_call: The latest decision; null for a viewer, who sees no numbers.
        last_hour: The decisions of the last hour; null if the store cannot be read.
        daemon: The daemon's report about itself.
        listener: Whether the daemon receives events about calls from Asterisk.
        trouble: The problems, worst first.
        not_known: Checks with an unknown result.
        settings: The settings file.
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
    """Convert the status to the form of `--json` and the API."""
    journal, report, loaded, screening = status.journal, status.report, status.loaded, status.screening
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
