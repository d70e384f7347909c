"""What the doctor's checks are made of: the ground they look at, and what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.install.plan import InstallPaths
from callsieve.pbx.cli_client import ConsoleError, NotRunning
from callsieve.pbx.cli_output import AsteriskVersion, Dialplan, dialplan_in, modules_in, setting_in, version_in
from callsieve.settings import Loaded, SettingsError
from reputation.wording import Wording, listed

NOT_ASKED = "Asterisk could not be asked"
NO_SETTINGS = "the settings cannot be read"
HEADING_BY_REASON = {NOT_ASKED: "not asked", NO_SETTINGS: "no settings"}
NONE = Wording("none")
FREEPBX_CONTEXT = "func-apply-sipheaders"  # which FreePBX generates, whatever is installed


class CheckStatus(StrEnum):
    """`fail`: calls are not screened, or something is unsafe. `warn`: they are, but not as well as they could."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and the way out if that is not as it should be."""

    status: CheckStatus
    detail: str | Wording
    way_out: str | Wording = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A finding under its name, and when it was made, in epoch seconds.

    `stored`: it was made by another, who may look at more than we may.
    """

    name: str
    status: CheckStatus
    detail: str | Wording
    way_out: str | Wording = ""
    at: float = 0.0
    stored: bool = False


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


def ok(detail: str | Wording) -> Finding:
    """All is well."""
    return Finding(CheckStatus.OK, detail)


def warn(detail: str | Wording, way_out: str | Wording = "") -> Finding:
    """Calls are screened, but something is less than it could be."""
    return Finding(CheckStatus.WARN, detail, way_out)


def fail(detail: str | Wording, way_out: str | Wording = "") -> Finding:
    """Calls are not screened, or something is unsafe."""
    return Finding(CheckStatus.FAIL, detail, way_out)


def unknown(detail: str | Wording, way_out: str | Wording = "") -> Finding:
    """It could not be found out."""
    return Finding(CheckStatus.UNKNOWN, detail, way_out)


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
