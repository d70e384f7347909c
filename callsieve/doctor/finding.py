"""The parts of a health check: CheckContext (its inputs) and Finding (its result)."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
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
from callsieve.pbx.cli_output import (
    AsteriskVersion,
    Dialplan,
    dialplan_in,
    modules_in,
    reload_age_in,
    setting_in,
    version_in,
)
from callsieve.settings import Loaded, Settings, SettingsError
from callsieve.source_health import SourceHealth
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
MOST_QUESTIONS = 500
NOT_ASKED = "Asterisk could not be queried"
NO_SETTINGS = "the settings cannot be read"
HEADING_BY_REASON = {NOT_ASKED: "not asked", NO_SETTINGS: "no settings"}
NONE = Wording("none")
POLICY_UNUSABLE = Wording('the policy cannot be used: see the check "policy"')
RESTART = "systemctl restart callsieve"
MIGRATE = Wording("systemctl restart callsieve, which migrates the store; without a service: callsieve db migrate")
FREEPBX_CONTEXT = "func-apply-sipheaders"  # FreePBX always generates it


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check. `detail`: what was found. `remedy`: what to do about a problem; empty without one."""

    status: CheckStatus
    detail: str | Wording
    remedy: str | Wording = ""


def gathered(checks: Iterable[Check]) -> list[Check]:
    """Merge checks with the same problem into one check, at the position of the first of them."""
    lines = _merged(checks)
    for reason, heading in HEADING_BY_REASON.items():
        unmade = [check for check in lines if check.detail == reason]
        if unmade:
            names = listed([Wording(check.name) for check in unmade], "{some}, {more}")
            line = Check(heading, CheckStatus.UNKNOWN, names, at=unmade[0].at)
            lines = [line if check is unmade[0] else check for check in lines if check not in unmade[1:]]
    return lines


def _merged(checks: Iterable[Check]) -> list[Check]:
    merged: dict[object, Check] = {}
    for check in checks:
        is_trouble = check.status in (CheckStatus.FAIL, CheckStatus.WARN)
        key = (check.status, str(check.detail), str(check.remedy)) if is_trouble else check.name
        first = merged.get(key)
        merged[key] = check if first is None else replace(first, name=f"{first.name}, {check.name}")
    return list(merged.values())


def and_more(first: Wording, others: int) -> Wording:
    """Return a text about several problems: the first one in words, and how many others there are."""
    return Wording("{first}, and {count} more", {"first": first, "count": others}) if others else first


def first_problem(sources: Iterable[tuple[str, SourceHealth]], remedy: str) -> Finding | None:
    """Return a warning about the first source with a problem, and how many others have one. None if all work."""
    ill = [(name, health) for name, health in sources if not health.is_well]
    if not ill:
        return None
    first = Wording("{source} {health}", {"source": ill[0][0], "health": ill[0][1].summary})
    return warn(and_more(first, len(ill) - 1), remedy)


def differs(install: str) -> Wording:
    """Return the remedy for an installed file that differs from what the command `install` would write."""
    return Wording("run {command}, which shows what differs", {"command": install})


# Each takes a detail and a remedy. warn: calls are screened, but not in the best way. fail: not screened, or unsafe.
ok = partial(Finding, CheckStatus.OK)
warn = partial(Finding, CheckStatus.WARN)
fail = partial(Finding, CheckStatus.FAIL)
unknown = partial(Finding, CheckStatus.UNKNOWN)


@dataclass
class CheckContext:
    """The inputs of a check. The answers of Asterisk's console are shared by all checks.

    Attributes:
        read: The settings, or what is wrong with them.
        console: Runs a command on Asterisk's console. Raises ConsoleError; after that no further command runs.
        now: Epoch seconds.
        fetch: Returns status and body of the page at a URL of this server, or why this failed; None: fetch nothing.
        most_questions: How many commands about single numbers may run (10 ms each).
    """

    read: Loaded | SettingsError
    console: Callable[[str], str]
    now: float
    fetch: Callable[[str], tuple[int, bytes] | Wording] | None = None
    most_questions: int = MOST_QUESTIONS
    _error: ConsoleError | None = field(default=None, init=False)
    _answers: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def loaded(self) -> Loaded:
        """Return the settings. Raise SettingsError if the settings are broken; the check's result is then unknown."""
        if isinstance(self.read, SettingsError):
            raise self.read
        return self.read

    def ask(self, command: str) -> str:
        """Return the output of a command on Asterisk's console. Each command runs only once. Raise ConsoleError."""
        if self._error is not None:
            raise self._error
        if command not in self._answers:
            try:
                self._answers[command] = self.console(command)
            except ConsoleError as error:
                self._error = error
                raise
        return self._answers[command]

    @property
    def off_until(self) -> int | None:
        """Return until when screening is off, in epoch seconds; None if it is on. Raise ConsoleError."""
        return parse_off(self.ask(f"database get {FAMILY} {OFF_KEY}"))

    @property
    def emergency_at(self) -> float | None:
        """Return when the dialplan recorded the last emergency call; None if never. Raise ConsoleError."""
        return instant_of(value_in(self.ask(f"database get {FAMILY} {EMERGENCY_KEY}")) or "")

    @property
    def telemetry(self) -> Telemetry | None:
        """Return the latest telemetry of the daemon, however old; None if it cannot be read."""
        return read_telemetry(self.loaded.state)

    @property
    def fresh_telemetry(self) -> Telemetry | None:
        """Return the daemon's latest telemetry, or None if it is not recent."""
        telemetry = self.telemetry
        return telemetry if is_fresh(telemetry, self.now) else None

    @property
    def policies(self) -> list[Policy]:
        """Return the default policy, and the policies for single scopes. Raise PolicyError if one is invalid."""
        policies = policies_of(self.loaded)
        return [policies.default, *(scope.policy for scope in policies.scopes)]

    @property
    def acting_policies(self) -> list[Policy]:
        """Return the policies that do more than observe. Raise PolicyError if one is invalid."""
        return [policy for policy in self.policies if not policy.observe]

    @property
    def central_organisation(self) -> str:
        """Return the organisation if this is a central console. Empty on other servers, or without a readable store."""
        link = self.read_store(link_of, None)
        return link.organisation if link is not None and link.is_central else ""

    def read_store(self, read: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Return what `read` returns for the store, or `default` if the store is missing, unreadable or outdated."""
        return read_store(self.loaded.store_path, read, default)

    def read_rows(self, read: Callable[[sqlite3.Connection], list[T]]) -> list[T]:
        """Return the rows that `read` reads from the store; empty if the store is missing, unreadable or outdated."""
        none: list[T] = []
        return self.read_store(read, none)

    def judge_store(self, judge: Callable[[sqlite3.Connection, float], Finding]) -> Finding:
        """Return the finding of `judge` about the store, or a finding that the store cannot be read."""
        path = self.loaded.store_path
        if not path.exists():
            return ok(NONE)
        try:
            with read_only(path) as db:
                if pending(db):
                    return unknown(Wording("the store was written by an older version of CallSieve"), MIGRATE)
                return judge(db, self.now)
        except StoreError as error:
            return unknown(str(error))

    @property
    def is_asterisk_down(self) -> bool:
        """Return whether Asterisk's control socket does not answer. False if this process cannot find out."""
        try:
            self.ask("core show version")
        except NotRunning:
            return True
        except ConsoleError:
            return False
        return False

    @property
    def is_freepbx(self) -> bool:
        """Return whether FreePBX made the dialplan. If Asterisk cannot be queried, check its configuration files."""
        try:
            return not self.dialplan.contexts.isdisjoint({FREEPBX_CONTEXT, TRUNK_CONTEXT})
        except ConsoleError:
            return (self.place.etc / "extensions_additional.conf").exists()

    @property
    def take_over(self) -> str:
        """Return the command that imports people from this PBX."""
        return f"callsieve import people --from {'freepbx' if self.is_freepbx else 'asterisk'}"

    @property
    def loaded_at(self) -> float:
        """Return when Asterisk last loaded a module, in epoch seconds; 0 if Asterisk cannot be queried."""
        try:
            age = reload_age_in(self.ask("core show uptime seconds"))
        except ConsoleError:
            return 0.0
        return 0.0 if age is None else self.now - age

    @cached_property
    def version(self) -> AsteriskVersion | None:
        """Return Asterisk's version; None if the answer cannot be parsed. Raise ConsoleError."""
        return version_in(self.ask("core show version"))

    @cached_property
    def modules(self) -> frozenset[str]:
        """Return the modules that Asterisk has loaded. Raise ConsoleError."""
        return modules_in(self.ask("module show"))

    @cached_property
    def dialplan(self) -> Dialplan:
        """Return the dialplan that Asterisk has loaded. Raise ConsoleError."""
        return dialplan_in(self.ask("dialplan show"))

    @cached_property
    def place(self) -> InstallPaths:
        """Return the directories that Asterisk reports, or the default directories if Asterisk cannot be queried."""
        try:
            answer = self.ask("core show settings")
        except ConsoleError:
            return InstallPaths(Path(self.loaded.settings.asterisk.etc), 0)
        agi_bin = setting_in(answer, "AGI Scripts directory")
        return InstallPaths(
            Path(setting_in(answer, "Configuration directory") or self.loaded.settings.asterisk.etc),
            0,
            Path(agi_bin) if agi_bin else None,
        )


Find = Callable[[CheckContext], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A check as a capability declares it. `is_quick`: whether the check is fast enough for `callsieve status`.

    `place`: the position of the check along the path of a call, by which checks are sorted. `as_root`: whether it
    examines only Asterisk and the server, which may need root; other checks run as the owner of the state directory.
    """

    place: int
    name: str
    find: Find
    as_root: bool = False
    is_quick: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """A check that emits events for changes that no operation makes, such as a deadline that passes.

    The event sender runs it twice a minute in a transaction, if a receiver wants one of `kinds`.
    """

    kinds: tuple[EventKind, ...]
    run: Callable[[sqlite3.Connection, Settings, float], None]


def check_of_store(judge: Callable[[sqlite3.Connection, float], Finding]) -> Find:
    """Return a check whose finding `judge` makes from the store and the time."""
    return lambda context: context.judge_store(judge)


def read_store(path: Path, read: Callable[[sqlite3.Connection], T], default: T) -> T:
    """Return what `read` returns for a store, or `default` if the store is missing, unreadable or outdated."""
    with suppress(StoreError, OSError), read_only(path) as db:
        return default if pending(db) else read(db)
    return default


def not_asked(_command: str) -> str:
    """Raise NotAllowed. Asterisk's console is as powerful as a shell, so only the doctor as root may use it."""
    raise NotAllowed("only `callsieve doctor` as root may query Asterisk")


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the store read-only. As root, use the rights of the store's owner. Raise StoreError."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with acting_for(path), store_errors(path):
        if path.exists() and not path.is_file():  # a pipe would never open
            raise StoreError(f"{path}: not a regular file: move the file away, then run `callsieve db restore`")
        with closing(sqlite3.connect(uri, uri=True, timeout=STORE_SECONDS)) as db:
            yield db
