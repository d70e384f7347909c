"""The types that `install` and `uninstall` share: paths, the change of a file, a plan. Writes nothing.

CallSieve's own files are written and removed as a whole. In other files, only lines with CallSieve's mark change.
"""

import grp
import pwd
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from callsieve.pbx.config_files import Line, covers, read_text

OUR_DIALPLAN = "callsieve.d"
# In the order of writing: callsieve.conf uses the contexts of callsieve-caller.conf, and callsieve-outbound.conf those
# of callsieve.conf.
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
HEARING_UNIT = "callsieve-hearing.service"
# It writes into Asterisk's call spool, so it runs as Asterisk's user and has its own settings.
CALL_BACK_UNIT = "callsieve-call-back.service"
CALL_BACK_SETTINGS = "call-back.toml"
FREEPBX_UNITS = ("callsieve-people.service", "callsieve-people.timer", "callsieve-people.path")
USUAL_GROUP = "asterisk"
UNIT_SUFFIXES = (".service", ".timer", ".path")
SYSTEM_UNITS = Path("/etc/systemd/system")
# The units of Debian's package, which setup and install leave alone.
PACKAGE_UNITS = Path("/usr/lib/systemd/system")
GROUP_FILE = "callsieve-group.conf"
COPY_SUFFIX = ".before-callsieve"

_AGI_LINE = re.compile(r"AGI\(\$\{CALLSIEVE_AGI\}\$\{IF\(.*?\?:(.*?)\)\}/")
_ASKED = re.compile(r"(?:callsieve-ask,s,1\(|AGI\(.*\}/)(\w+)")


class InstallError(Exception):
    """CallSieve cannot be installed or removed as requested. The message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A change of a file. `before`: the old text, None for a new file. `after`: the new text, None for a removed file.

    `mode`, `group` (a gid): None keeps the present value; a new file gets 0644. `copied`: whether the original is kept.
    """

    path: Path
    before: str | None
    after: str | None
    mode: int | None = None
    group: int | None = None
    copied: bool = False

    @property
    def copy_path(self) -> Path:
        """The path at which the copy of the original is kept."""
        return copy_of(self.path)


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A system user for systemd units. `group`: the user's group; empty: a new group with the user's name."""

    name: str
    group: str = ""
    home: Path = Path("/nonexistent")


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """A plan: create `new_users`, make `changes`, remove empty `directories`. `remarks`: for the administrator."""

    changes: tuple[FileChange, ...]
    new_users: tuple[SystemUser, ...] = ()
    remarks: tuple[str, ...] = ()
    directories: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class InstallPaths:
    """The paths of an installation. `group`: gid of the group that may read `etc`. `agi_bin`: None if it is unknown."""

    etc: Path
    group: int
    agi_bin: Path | None = None
    units: Path = SYSTEM_UNITS

    @property
    def dialplan(self) -> Path:
        """Return the directory of CallSieve's dialplan."""
        return self.etc / OUR_DIALPLAN

    @property
    def manager(self) -> Path:
        """Return the path of the file with CallSieve's manager user."""
        return self.etc / OUR_MANAGER

    @property
    def is_packaged(self) -> bool:
        """Whether CallSieve's systemd units come from Debian's package."""
        return self.units == SYSTEM_UNITS and (PACKAGE_UNITS / OUR_UNIT).exists()

    @property
    def unit(self) -> Path:
        """Return the path of the service's unit file."""
        return (PACKAGE_UNITS if self.is_packaged else self.units) / OUR_UNIT

    @property
    def has_service(self) -> bool:
        """Return whether the service was set up. The unit of Debian's package counts only after it was enabled."""
        if self.is_packaged:
            return (SYSTEM_UNITS / "multi-user.target.wants" / OUR_UNIT).exists()
        return self.unit.exists()

    @property
    def unit_files(self) -> tuple[Path, ...]:
        """The paths of all units in `asterisk-conf/` after installation. The administrator enables some of them."""
        names = (path.name for path in asterisk_conf().iterdir() if path.suffix in UNIT_SUFFIXES)
        return tuple(self.units / name for name in sorted(names))

    @property
    def group_files(self) -> tuple[Path, ...]:
        """The drop-in files that run the units of Debian's package in another group than `asterisk`."""
        names = (path.name for path in self.unit_files if f"\nGroup={USUAL_GROUP}\n" in packaged(path.name))
        return tuple(self.units / f"{name}.d" / GROUP_FILE for name in names)


def asterisk_conf() -> Path:
    """Return the directory with CallSieve's files for Asterisk: in the installed package or the source tree."""
    installed = Path(str(files("callsieve"))) / "asterisk-conf"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "asterisk-conf"


def place_of(etc: Path, agi_bin: Path | None, units: Path, *, asterisk: bool = True) -> InstallPaths:
    """Return the paths for the Asterisk configured in `etc`, if any. Raise InstallError if `etc` has no dialplan."""
    if not asterisk:
        return InstallPaths(etc, _usual_group(), None, units)
    if not (etc / "extensions.conf").is_file():
        raise InstallError(
            f"{etc}/extensions.conf does not exist: name the directory of Asterisk's configuration with --etc"
        )
    status = etc.stat()
    # Root's group does not help an Asterisk, or our service, that runs as another user. Then use the owner's group, or
    # the usual one.
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
    """Return the path for the copy of a file that CallSieve is about to change."""
    return path.with_name(path.name + COPY_SUFFIX)


def is_copy(path: Path) -> bool:
    """Return whether this file is a copy that was made before CallSieve changed the original."""
    return path.name.endswith(COPY_SUFFIX)


def packaged(name: str) -> str:
    """Return the text of a file in `asterisk-conf/`."""
    return (asterisk_conf() / name).read_text("utf-8")


def packaged_dialplan() -> str:
    """Return CallSieve's dialplan as one text, without the parts for FreePBX."""
    return "".join(packaged(name) for name in DIALPLAN_FILES)


def agi_of(dialplan: str) -> str | None:
    """Return the address that CallSieve's dialplan queries by default; None if the text is not CallSieve's dialplan."""
    match = _AGI_LINE.search(dialplan)
    return match[1] if match else None


def asked_for(template: str) -> list[str]:
    """Return the names of the AGI scripts that the dialplan text runs. `--classic` installs a file for each of them."""
    return sorted(set(_ASKED.findall(template)))


def changes_something(change: FileChange) -> bool:
    """Return whether the change has an effect: another text, fewer rights of other users, or a new right to execute."""
    if change.before != change.after:
        return True
    if change.after is None or change.mode is None:
        return False
    mode = change.path.stat().st_mode
    return bool(mode & ~change.mode & 0o007 or change.mode & ~mode & 0o111)


def own_file(path: Path, text: str, mode: int | None = None, group: int | None = None) -> FileChange:
    """Return the change that writes a file of CallSieve. If another program's file is in its place, keep a copy."""
    before = read_text(path)
    return FileChange(path, before, text, mode, group, copied=before is not None and not is_ours(before))


def is_ours(text: str) -> bool:
    """Return whether a file belongs to CallSieve. All files of CallSieve name CallSieve in their first two lines."""
    return "CallSieve" in "".join(text.splitlines(keepends=True)[:2])


def is_included(etc: Path, lines: list[Line], path: Path) -> bool:
    """Return whether one of these lines includes the file `path`. `etc`: the directory of relative names."""
    return any(line.included is not None and covers(etc, line.included, path) for line in lines)
