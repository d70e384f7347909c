"""The administrator's next steps after `asterisk install` and `uninstall`, and the function that carries out a plan."""

# docs/how-to/install.md prints the same list; tests/callsieve/install/test_install_list.py compares both lists.

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agi.speech import FOLDER
from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.install.front_context import front_context_of, installed_contexts
from callsieve.install.plan import (
    CALL_BACK_SETTINGS,
    COPY_SUFFIX,
    FileChange,
    InstallError,
    InstallPaths,
    InstallPlan,
    SystemUser,
)
from callsieve.install.uninstall import uses_of
from callsieve.outside.secrets import secret_files
from callsieve.pbx.config_files import Line, read_text
from callsieve.setting_types import SECRET_IN_FILE
from callsieve.settings import Loaded, Settings
from callsieve.system.files import _give, complete_file

UNITS_STARTED = ("callsieve", "callsieve-api", "callsieve-doctor.timer")
ADDED_LATER = ("callsieve-api.service",)  # an earlier installation has the others
PEOPLE_STARTED = ("callsieve-people.timer", "callsieve-people.path")
DAEMON_RELOAD = "systemctl daemon-reload"
RESTARTS = ("systemctl restart callsieve", "systemctl try-restart 'callsieve-*.service'")
DOCTOR = "callsieve doctor"
REMOVE_PROMPTS = "callsieve prompts remove"
INBOUND = "callsieve asterisk install --inbound"
# The files that set the context of a trunk's calls.
_TRUNKS_ARE_IN = "pjsip.conf (or iax.conf, chan_dahdi.conf)"


@dataclass(frozen=True, slots=True)
class InstallStep:
    """A step for the administrator. `title`: what the step is for. `lines`: the commands or lines to copy."""

    title: str
    lines: tuple[str, ...] = ()


def steps_after_install(
    plan: InstallPlan,
    place: InstallPaths,
    settings: Settings,
    *,
    freepbx: bool,
    new_service: bool,
    reloaded: bool,
    asterisk: bool = True,
    outdated: bool = False,
) -> list[InstallStep]:
    """Return the next steps for the administrator. `outdated`: whether the running daemon is older than the program.

    `new_service`: whether there was no service. `asterisk`: whether Asterisk is on this server. The order matters:
    Asterisk must know the manager user before the daemon logs in, and a context before a trunk uses the context.
    """
    if not asterisk:
        units = ("callsieve", "callsieve-api")
        return start_steps(plan, place, new_service=new_service, outdated=outdated, units_started=units)
    steps = [] if reloaded else [_reload(settings)]
    steps += start_steps(plan, place, new_service=new_service, outdated=outdated)
    if freepbx:
        steps += [] if uses_of(place) else [_connect_freepbx()]
    else:
        steps += _connect(place, settings)
    if steps and new_service:
        command = f"callsieve import people --from {'freepbx' if freepbx else 'asterisk'}"
        steps.append(InstallStep("Import your people and DIDs", (command,)))
    return [*steps, InstallStep("Check that everything works", (DOCTOR,))] if steps else []


def start_steps(
    plan: InstallPlan,
    place: InstallPaths,
    *,
    new_service: bool,
    outdated: bool,
    units_started: tuple[str, ...] = UNITS_STARTED,
) -> list[InstallStep]:
    """Return the step that starts or restarts services, if any. `outdated`: the daemon is older than the program."""
    changed = {change.path for change in plan.changes}
    units = bool(changed & {*place.unit_files, *place.group_files})
    people = tuple(name for name in PEOPLE_STARTED if place.units / name in changed)
    if place.is_packaged and (place.etc / "extensions_additional.conf").exists():  # FreePBX
        people = PEOPLE_STARTED
    if new_service and (units or place.is_packaged):
        started = " ".join((*units_started, *people))
        return [InstallStep("Start the daemon", (DAEMON_RELOAD, f"systemctl enable --now {started}"))]
    if units:
        later = tuple(name.removesuffix(".service") for name in ADDED_LATER if place.units / name in changed)
        enable = (f"systemctl enable --now {' '.join((*later, *people))}",) if later or people else ()
        return [InstallStep("Restart the daemon and the other services", (DAEMON_RELOAD, *RESTARTS, *enable))]
    if place.unit.exists() and any(path.name == "callsieve.toml" for path in changed):
        return [InstallStep("Restart the daemon, so that it reads its settings", ("systemctl restart callsieve",))]
    if outdated and not new_service:
        return [
            InstallStep(
                "Restart the daemon, which runs an older version",
                ("systemctl restart callsieve", "systemctl restart callsieve-api"),
            )
        ]
    return []


def _reload(settings: Settings) -> InstallStep:
    commands = (asterisk_command(settings, command) for command in ("dialplan reload", "manager reload"))
    return InstallStep("Reload Asterisk's files", tuple(commands))


def _connect(place: InstallPaths, settings: Settings) -> list[InstallStep]:
    used, fronts = uses_of(place), [front_context_of(name) for name in installed_contexts(place)]
    if not fronts and not used:
        name = "Name the context that calls from your trunks enter now, such as from-trunk"
        return [InstallStep(name, (f"{INBOUND} from-trunk",))]
    lines = [f"context = {front}" for front in fronts if not any(_arrives_in(front, line) for line in used)]
    if not lines:
        return []
    reload = asterisk_command(settings, "module reload res_pjsip.so")
    return [InstallStep(f"Send your trunks through CallSieve: in {_TRUNKS_ARE_IN}, for each trunk", (*lines, reload))]


def _arrives_in(front: str, line: Line) -> bool:
    return re.search(rf"=\s*>?\s*{re.escape(front)}$", line.text) is not None


def _connect_freepbx() -> InstallStep:
    context = "for each trunk Connectivity > Trunks > pjsip Settings > General > Context to"
    return InstallStep(f"Install CallSieve's FreePBX module, or set {context}", (TRUNK_CONTEXT,))


def steps_after_uninstall(settings: Settings, *, reloaded: bool) -> list[InstallStep]:
    """Return the steps that remove CallSieve from the memory and database of the running Asterisk."""
    steps = [] if reloaded else [_reload(settings)]
    forget = asterisk_command(settings, "database deltree callsieve")
    return [
        *steps,
        InstallStep("Delete the off switch and the last emergency call from Asterisk's database", (forget,)),
    ]


def asterisk_command(settings: Settings, command: str) -> str:
    """Return the shell command that runs a command of Asterisk's console."""
    return f'{shlex.join(shlex.split(settings.asterisk.command))} -rx "{command}"'


def _copies_in(etc: Path) -> list[Path]:
    return sorted(path for pattern in ("*", "*/*") for path in etc.glob(f"{pattern}{COPY_SUFFIX}"))


def _links_to(program: Path) -> list[Path]:
    folders = dict.fromkeys(Path(folder) for folder in os.get_exec_path() if folder)
    links = (folder / "callsieve" for folder in folders if not folder.is_relative_to(program))
    return [link for link in links if link.is_symlink() and link.readlink() == program / "bin" / "callsieve"]


def prompts_left(sounds: Iterable[Path]) -> list[Path]:
    """Return the directories with CallSieve's prompts below these directories of Asterisk's sounds."""
    return sorted({path for folder in sounds for path in folder.glob(f"*/{FOLDER}") if any(path.glob("*.wav"))})


def left_behind(loaded: Loaded, place: InstallPaths, prompts: Iterable[Path], users: Iterable[str]) -> list[str]:
    """Return lines that say what `uninstall` leaves and how to remove it. `users`: CallSieve's system users."""
    store, findings = loaded.store_path.parent, loaded.findings_path.parent
    called_back = loaded.state.with_name(f"{loaded.state.name}-call-back")
    lines = []
    if store.exists():
        lines.append(f"{store}: marks, lists, decisions and backups; rm -r {store} deletes them")
    if findings.exists():
        lines.append(f"{findings}: findings of the doctor; rm -r {findings} deletes it")
    if called_back.exists():
        lines.append(f"{called_back}: the call-back helper's records; rm -r {called_back} deletes it")
    for file in (loaded.settings_file, loaded.settings_file.with_name(CALL_BACK_SETTINGS)):
        if file.exists():
            lines.append(f"{file}: your settings")
    named = (Path(secret.removeprefix(SECRET_IN_FILE)) for secret in secret_files(loaded.settings))
    lines += [f"{file}: a secret that your settings name; rm {file} deletes it" for file in named if file.exists()]
    lines += [f"{path}: spoken prompts; {REMOVE_PROMPTS}, or rm -r {path}, deletes them" for path in prompts]
    lines += [f"{copy}: the original of a changed file; rm {copy} deletes it" for copy in _copies_in(place.etc)]
    if place.units.is_dir():
        added = sorted(place.units.glob("callsieve*.d"))
        lines += [f"{path}: your additions to a unit; rm -r {path} deletes it" for path in added]
    remove = "apt purge callsieve" if place.is_packaged else f"rm -r {sys.prefix}"
    lines.append(f"{sys.prefix}: the program itself; {remove} deletes it")
    lines += [f"{link}: a link to the program; rm {link} deletes it" for link in _links_to(Path(sys.prefix))]
    return lines + [f"the user {user}; userdel {user} removes it" for user in users]


NEW_MODE = 0o644


def write(plan: InstallPlan) -> None:
    """Carry out a plan in its order. Raise InstallError or OSError. After an error, a second run does the rest."""
    for change in plan.changes:
        if read_text(change.path) != change.before:
            raise InstallError(f"{change.path}: the file was changed meanwhile: run the command again")
    for user in plan.new_users:
        make_user(user)
    for change in plan.changes:
        _write_one(change)
    for directory in plan.directories:
        with suppress(OSError):  # it is not empty, or does not exist
            directory.rmdir()


def make_user(user: SystemUser) -> None:
    """Create a system user. Raise InstallError with the message of useradd."""
    command = ["useradd", "--system", "--home-dir", str(user.home), "--shell", "/usr/sbin/nologin"]
    command += ["--gid", user.group, user.name] if user.group else ["--user-group", user.name]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        group = user.group or user.name
        raise InstallError(
            f"useradd is not installed: create the user {user.name} in the group {group}, then run the command again"
        ) from None
    if done.returncode != 0:
        raise InstallError(f"useradd could not create the user {user.name}: {done.stderr.strip() or done.returncode}")


def _write_one(change: FileChange) -> None:
    if change.after is None:
        change.path.unlink()
        return
    path = change.path.resolve()  # a link is kept, and its target changed
    make_directory(path.parent)
    status = path.stat() if change.before is not None else None
    owner = status or path.parent.stat()
    mode = change.mode if change.mode is not None else (status.st_mode & 0o7777 if status else NEW_MODE)
    group = owner.st_gid if change.group is None else change.group
    copy = change.copy_path
    if change.copied and change.before is not None and status is not None and not copy.exists():
        _replace(copy, change.before, status.st_mode & 0o7777, (status.st_uid, status.st_gid))
    _replace(path, change.after, mode, (owner.st_uid, group))


def make_directory(directory: Path) -> None:
    """Create a directory with the owner of its parent, so that the same users can read it."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(mode=0o755)
    above = directory.parent.stat()
    _give(directory, directory, above.st_uid, above.st_gid)


def _replace(path: Path, text: str, mode: int, owner: tuple[int, int]) -> None:
    with complete_file(path, mode, owner) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
