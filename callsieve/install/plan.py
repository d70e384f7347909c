"""What `install` and `uninstall` are made of: where things are, one change, a plan. Nothing is written here.

Files of our own are written and removed whole. To other files lines are added at the end, each with a mark, and only
lines with that mark are ever taken out again.
"""

from __future__ import annotations

import grp
import pwd
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from callsieve.pbx.config_files import Line, covers, read_text

OUR_DIALPLAN = "callsieve.d"
# In the order in which they are written: callsieve.conf goes to the contexts of callsieve-caller.conf, and
# callsieve-outbound.conf to those of callsieve.conf.
DIALPLAN_FILES = ("callsieve-caller.conf", "callsieve.conf", "callsieve-outbound.conf")
FRONT_FILE = "callsieve-from-trunk.conf"
FREEPBX_FILES = (
    *DIALPLAN_FILES,
    "callsieve-freepbx.conf",
    "callsieve-freepbx-hook.conf",
    "callsieve-freepbx-extension-hook.conf",
    "callsieve-freepbx-ringall-hook.conf",
    "callsieve-freepbx-hunt-hook.conf",
)
OUR_MANAGER = "manager.d/callsieve.conf"
OUR_AGI = "callsieve-agi"
OUR_UNIT = "callsieve.service"
PUBLIC_UNIT = "callsieve-public.service"
# Writes into Asterisk's call spool, so it runs as Asterisk's user and has settings of its own.
CALL_BACK_UNIT = "callsieve-call-back.service"
CALL_BACK_SETTINGS = "call-back.toml"
FREEPBX_UNITS = ("callsieve-people.service", "callsieve-people.timer", "callsieve-people.path")
USUAL_GROUP = "asterisk"
UNIT_SUFFIXES = (".service", ".timer", ".path")
SYSTEM_UNITS = Path("/etc/systemd/system")
COPY_SUFFIX = ".before-callsieve"

_AGI_LINE = re.compile(r"AGI\(\$\{CALLSIEVE_AGI\}\$\{IF\(.*?\?:(.*?)\)\}/")
_ASKED = re.compile(r"(?:callsieve-ask,s,1\(|AGI\(.*\}/)(\w+)")


class InstallError(Exception):
    """CallSieve cannot be installed or removed as asked. The text is one line and says what to do."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file. `before` is None for a new one, `after` for one that goes; `mode` None keeps what it has, or 0644.

    `group` (a gid) None keeps the group. With `copied` the file as it was stays beside it.
    """

    path: Path
    before: str | None
    after: str | None
    mode: int | None = None
    group: int | None = None
    copied: bool = False

    @property
    def copy_path(self) -> Path:
        """Where the file as it was is kept."""
        return copy_of(self.path)


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user that units run as. `group` empty: a group of its own, of the same name."""

    name: str
    group: str = ""
    home: Path = Path("/nonexistent")


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What to do, in order; directories that go if nothing else is in them; remarks for the administrator.

    `new_users` are made first.
    """

    changes: tuple[FileChange, ...]
    new_users: tuple[SystemUser, ...] = ()
    remarks: tuple[str, ...] = ()
    directories: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class InstallPaths:
    """Where things are. `agi_bin` is None when nobody knows; `group` is the gid that Asterisk reads its files by."""

    etc: Path
    group: int
    agi_bin: Path | None = None
    units: Path = SYSTEM_UNITS

    @property
    def dialplan(self) -> Path:
        """The directory of our dialplan."""
        return self.etc / OUR_DIALPLAN

    @property
    def manager(self) -> Path:
        """The file of our manager user."""
        return self.etc / OUR_MANAGER

    @property
    def unit(self) -> Path:
        """The file of the service."""
        return self.units / OUR_UNIT

    @property
    def unit_files(self) -> tuple[Path, ...]:
        """The files of all units: each that is in `asterisk-conf/`. An administrator enables what the settings need."""
        names = (path.name for path in asterisk_conf().iterdir() if path.suffix in UNIT_SUFFIXES)
        return tuple(self.units / name for name in sorted(names))


def asterisk_conf() -> Path:
    """The directory of the files for Asterisk: in the installed package, else in the source tree."""
    installed = Path(str(files("callsieve"))) / "asterisk-conf"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "asterisk-conf"


def place_of(etc: Path, agi_bin: Path | None, units: Path, *, asterisk: bool = True) -> InstallPaths:
    """The place of an Asterisk whose configuration is in `etc`. InstallError when that is no such directory.

    Without `asterisk` the machine has none, and nothing is looked for there.
    """
    if not asterisk:
        return InstallPaths(etc, _usual_group(), None, units)
    if not (etc / "extensions.conf").is_file():
        raise InstallError(f"{etc}/extensions.conf is not there: --etc names the directory of Asterisk's configuration")
    status = etc.stat()
    # Root's own group is of no use to an Asterisk, or a service of ours, that runs as another user: then the group of
    # the owner, or the usual one.
    group = status.st_gid or _primary_group_of(status.st_uid) or _usual_group()
    return InstallPaths(etc, group, agi_bin, units)


def _primary_group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return 0


def _usual_group() -> int:
    try:
        return grp.getgrnam(USUAL_GROUP).gr_gid
    except KeyError:
        return 0


def copy_of(path: Path) -> Path:
    """Where the file as it was before us is kept."""
    return path.with_name(path.name + COPY_SUFFIX)


def is_copy(path: Path) -> bool:
    """Whether a file as it was before us is kept in this one."""
    return path.name.endswith(COPY_SUFFIX)


def packaged(name: str) -> str:
    """The text of one of the files for Asterisk."""
    return (asterisk_conf() / name).read_text("utf-8")


def packaged_dialplan() -> str:
    """All of the dialplan but what is for FreePBX only, as one text."""
    return "".join(packaged(name) for name in DIALPLAN_FILES)


def agi_of(dialplan: str) -> str | None:
    """Where our dialplan asks when the global CALLSIEVE_AGI does not say; None for text that is not ours."""
    match = _AGI_LINE.search(dialplan)
    return match[1] if match else None


def asked_for(template: str) -> list[str]:
    """What the dialplan asks for, by name: a classic script is needed for each."""
    return sorted(set(_ASKED.findall(template)))


def changes_something(change: FileChange) -> bool:
    """Whether there is anything to do: another text, or a mode that gives others too much or too little."""
    if change.before != change.after:
        return True
    if change.after is None or change.mode is None:
        return False
    mode = change.path.stat().st_mode
    return bool(mode & ~change.mode & 0o007 or change.mode & ~mode & 0o111)


def own_file(path: Path, text: str, mode: int | None = None, group: int | None = None) -> FileChange:
    """A file of ours. What somebody else had in its place is kept beside it."""
    before = read_text(path)
    return FileChange(path, before, text, mode, group, copied=before is not None and not is_ours(before))


def is_ours(text: str) -> bool:
    """Each of our files names us in its first two lines."""
    return "CallSieve" in "".join(text.splitlines(keepends=True)[:2])


def is_included(etc: Path, lines: list[Line], path: Path) -> bool:
    """Whether one of these lines includes this file."""
    return any(line.included is not None and covers(etc, line.included, path) for line in lines)
