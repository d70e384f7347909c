"""What health checks are made of: what they look at, and what they find.

A capability declares its checks in a table CHECKS. Each health fact is one function from a CheckContext to a Finding:
severity, parameters and template. Doctor, status, console, digest and /metrics show the same finding.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from agi.parsing import instant_of
from callsieve.health import Check, CheckStatus
from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.install.plan import InstallPaths
from callsieve.pbx.cli_client import (
    EMERGENCY_KEY,
    FAMILY,
    OFF_KEY,
    ConsoleError,
    NotAllowed,
    NotRunning,
    parse_off,
    value_in,
)
from callsieve.pbx.cli_output import AsteriskVersion, Dialplan, dialplan_in, modules_in, setting_in, version_in
from callsieve.settings import Loaded, Settings, SettingsError
from callsieve.system.privileges import acting_for
from callsieve.telemetry import Telemetry, is_fresh, read_telemetry
from callsieve.wiring import policies_of
from policies.policy import Policy
from reputation.events import EventKind
from reputation.store.errors import StoreError, store_errors
from reputation.store.hub.link import link_of
from reputation.store.migrations import pending
from reputation.wording import Wording, listed

T = TypeVar("T")

STORE_SECONDS = 2.0
NOT_ASKED = "Asterisk could not be asked"
NO_SETTINGS = "the settings cannot be read"
HEADING_BY_REASON = {NOT_ASKED: "not asked", NO_SETTINGS: "no settings"}
NONE = Wording("none")
POLICY_UNUSABLE = Wording("the policy cannot be used: see policy")
RESTART = "systemctl restart callsieve"
MIGRATE = Wording("systemctl restart callsieve, which migrates it; without a service: callsieve db migrate")
FREEPBX_CONTEXT = "func-apply-sipheaders"  # which FreePBX generates, whatever is installed


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and the way out if that is not as it should be."""

    status: CheckStatus
    detail: str | Wording
    remedy: str | Wording = ""


def gathered(checks: Iterable[Check]) -> list[Check]:
    """Checks that could not be made for one reason in one line, where the first of them stood."""
    lines = list(checks)
    for reason, heading in HEADING_BY_REASON.items():
        unmade = [check for check in lines if check.detail == reason]
        if unmade:
            names = listed([Wording(check.name) for check in unmade], "{some}, {more}")
            line = Check(heading, CheckStatus.UNKNOWN, names, at=unmade[0].at)
            lines = [line if check is unmade[0] else check for check in lines if check not in unmade[1:]]
    return lines


def and_more(first: Wording, others: int) -> Wording:
    """The first of several that are not as they should be."""
    return Wording("{first}, and {count} more", {"first": first, "count": others}) if others else first


def differs(install: str) -> Wording:
    """The way out where a file is not as it would be installed."""
    return Wording("{command}: shows what differs", {"command": install})


# With the detail, and the way out: all is well; screened, but less well than it could be; not screened, or unsafe; not
# found out.
ok = partial(Finding, CheckStatus.OK)
warn = partial(Finding, CheckStatus.WARN)
fail = partial(Finding, CheckStatus.FAIL)
unknown = partial(Finding, CheckStatus.UNKNOWN)


@dataclass
class CheckContext:
    """What the checks look at. Asterisk is asked each thing once, and no more after it failed to answer.

    `read`: the settings, or what is wrong with them; `console` raises ConsoleError; `now` is in epoch seconds.
    `fetch`: status and body of a page of ours as others see it, or why there is none; None: nobody outside is asked.
    """

    read: Loaded | SettingsError
    console: Callable[[str], str]
    now: float
    fetch: Callable[[str], tuple[int, bytes] | Wording] | None = None
    _error: ConsoleError | None = field(default=None, init=False)
    _said: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def loaded(self) -> Loaded:
        """The settings. SettingsError: a check that needs them is then unknown, and says nothing of defaults."""
        if isinstance(self.read, SettingsError):
            raise self.read
        return self.read

    def ask(self, command: str) -> str:
        """What Asterisk's console says. ConsoleError."""
        if self._error is not None:
            raise self._error
        if command not in self._said:
            try:
                self._said[command] = self.console(command)
            except ConsoleError as error:
                self._error = error
                raise
        return self._said[command]

    @property
    def off_until(self) -> int | None:
        """Until when Asterisk's database says that screening is off. ConsoleError."""
        return parse_off(self.ask(f"database get {FAMILY} {OFF_KEY}"))

    @property
    def emergency_at(self) -> float | None:
        """When the dialplan wrote down the last emergency call. ConsoleError."""
        return instant_of(value_in(self.ask(f"database get {FAMILY} {EMERGENCY_KEY}")) or "")

    @property
    def telemetry(self) -> Telemetry | None:
        """What the daemon said of itself last."""
        return read_telemetry(self.loaded.state)

    @property
    def fresh_telemetry(self) -> Telemetry | None:
        """What the daemon said of itself; None where it said nothing lately."""
        telemetry = self.telemetry
        return telemetry if is_fresh(telemetry, self.now) else None

    @property
    def policies(self) -> list[Policy]:
        """The default policy and those of its scopes. PolicyError."""
        policies = policies_of(self.loaded)
        return [policies.default, *(scope.policy for scope in policies.scopes)]

    @property
    def acting_policies(self) -> list[Policy]:
        """Those that do more than observe. PolicyError."""
        return [policy for policy in self.policies if not policy.observe]

    @property
    def central_organisation(self) -> str:
        """The organisation whose central console this machine is; empty where it is none, or no store can be read."""
        link = self.read_store(link_of, None)
        return link.organisation if link is not None and link.is_central else ""

    def read_store(self, read: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Return what the store has, as `read_store` below."""
        return read_store(self.loaded.store_path, read, default)

    def read_rows(self, read: Callable[[sqlite3.Connection], list[T]]) -> list[T]:
        """Return the rows that the store has; none where it is missing, unreadable or of an older version."""
        none: list[T] = []
        return self.read_store(read, none)

    def judge_store(self, judge: Callable[[sqlite3.Connection, float], Finding]) -> Finding:
        """Return what `judge` finds in the store at this time, if there is one and it can be read."""
        path = self.loaded.store_path
        if not path.exists():
            return ok(NONE)
        try:
            with read_only(path) as db:
                if pending(db):
                    return unknown(Wording("the store is of an older version"), MIGRATE)
                return judge(db, self.now)
        except StoreError as error:
            return unknown(str(error))

    @property
    def is_asterisk_down(self) -> bool:
        """Whether nothing answers on its control socket; False where that cannot be told."""
        try:
            self.ask("core show version")
        except NotRunning:
            return True
        except ConsoleError:
            return False
        return False

    @property
    def is_freepbx(self) -> bool:
        """Whether FreePBX made the dialplan; its files tell where Asterisk cannot be asked."""
        try:
            return not self.dialplan.contexts.isdisjoint({FREEPBX_CONTEXT, TRUNK_CONTEXT})
        except ConsoleError:
            return (self.place.etc / "extensions_additional.conf").exists()

    @property
    def take_over(self) -> str:
        """The command that takes over what this PBX knows of people."""
        return f"callsieve import people --from {'freepbx' if self.is_freepbx else 'asterisk'}"

    @cached_property
    def version(self) -> AsteriskVersion | None:
        return version_in(self.ask("core show version"))

    @cached_property
    def modules(self) -> frozenset[str]:
        return modules_in(self.ask("module show"))

    @cached_property
    def dialplan(self) -> Dialplan:
        return dialplan_in(self.ask("dialplan show"))

    @cached_property
    def place(self) -> InstallPaths:
        """Where Asterisk says its files are; the usual place when it cannot be asked."""
        try:
            said = self.ask("core show settings")
        except ConsoleError:
            return InstallPaths(Path(self.loaded.settings.asterisk.etc), 0)
        agi_bin = setting_in(said, "AGI Scripts directory")
        return InstallPaths(
            Path(setting_in(said, "Configuration directory") or self.loaded.settings.asterisk.etc),
            0,
            Path(agi_bin) if agi_bin else None,
        )


Find = Callable[[CheckContext], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A check as a capability declares it; all are made in the order of `place`: that in which a call meets them.

    `as_root`: it looks at Asterisk and the machine only, and may have to be root for that. All else may look into the
    state directory, and so has the rights of its owner. `is_quick`: it takes a few milliseconds, so `status` makes it.
    """

    place: int
    name: str
    find: Find
    as_root: bool = False
    is_quick: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """What nobody writes down as it happens: the sender of events looks for it every half minute.

    It runs in a transaction, where a receiver wants one of the kinds: one event for each change since the last time.
    """

    kinds: tuple[EventKind, ...]
    run: Callable[[sqlite3.Connection, Settings, float], None]


def check_of_store(judge: Callable[[sqlite3.Connection, float], Finding]) -> Find:
    """Return the check that asks the store alone."""
    return lambda context: context.judge_store(judge)


def read_store(path: Path, read: Callable[[sqlite3.Connection], T], default: T) -> T:
    """Return what a store has; the default where it is missing, unreadable or of an older version: a check says so."""
    with suppress(StoreError, OSError), read_only(path) as db:
        return default if pending(db) else read(db)
    return default


def not_asked(_command: str) -> str:
    """Refuse to ask Asterisk: whoever reaches its console has a shell as Asterisk. Root's doctor has asked it."""
    raise NotAllowed("Asterisk is asked by root's doctor only")


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the store as it is, for looking: root, too, only with the rights of its owner. StoreError."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with acting_for(path), store_errors(path):
        if path.exists() and not path.is_file():  # a pipe would never open
            raise StoreError(f"{path}: not a regular file: move it away, then callsieve db restore")
        with closing(sqlite3.connect(uri, uri=True, timeout=STORE_SECONDS)) as db:
            yield db
