"""The doctor's checks of private files: settings, secrets, and Asterisk's control socket."""

import grp
import os
import pwd
import re
from pathlib import Path

from callsieve.doctor.finding import CheckContext, Finding, and_more, fail, ok, unknown, warn
from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.outside.secrets import secret_files, secret_of
from callsieve.pbx.cli_output import setting_in
from callsieve.pbx.config_files import read_text
from callsieve.settings import SettingsError, SettingsUnreadable, parse_settings
from reputation.wording import Places, Wording

_RUNS_AS = re.compile(r"^(User|Group)=(\S+)$", re.MULTILINE)
SECRET_OPEN = OutsideProblem.SECRET_READABLE.code  # the only problem here that is unsafe
NO_SECRET = Wording("the settings name no secret file")
TEST_EVENTS = Wording("correct this, then check with: callsieve events test NAME")
CONTROL_SOCKET = "asterisk.ctl"
# Not InaccessiblePaths=, as older units have it: the directory is another one after a restart of Asterisk.
_CLOSED = re.compile(r"^TemporaryFileSystem=([^\s:]+)(?::\S*)?$", re.MULTILINE)
_GROUP = re.compile(r"^Group=(\S+)$", re.MULTILINE)


def settings_are_private(context: CheckContext) -> Finding:
    """Check that the settings are valid and private: only root may write the file, and the service may read it."""
    if isinstance(context.read, SettingsUnreadable):
        return unknown(str(context.read), Wording("run the command as root"))
    if isinstance(context.read, SettingsError):
        return fail(
            str(context.read), Wording("correct this file: the daemon cannot start or reload with errors in the file")
        )
    file, state = context.loaded.file, context.loaded.state
    if file is not None:
        mode = file.stat().st_mode
        if mode & 0o002 or file.parent.stat().st_mode & 0o1002 == 0o002:
            return fail(
                Wording("other users may change {file}", {"file": str(file)}), f"chmod o-w {file} {file.parent}"
            )
        # The secret of the manager user. Other secrets are in other files, and the environment may override it.
        written = parse_settings(file.read_text("utf-8"), str(file))
        if mode & 0o004 and (written.ami.secret or written.agi.key):
            return fail(Wording("other users may read the secret in {file}", {"file": str(file)}), f"chmod o-r {file}")
        service = dict(_RUNS_AS.findall(read_text(context.place.unit) or ""))
        if service.keys() >= {"User", "Group"} and not _may_read(file, service["User"], service["Group"]):
            may_not: Places = {"user": service["User"], "what": str(file)}
            remedy = f"chgrp {service['Group']} {file}; chmod g+r {file}"
            return fail(Wording("{user} may not read {what}", may_not), remedy)
        if service and not (_is_roots_alone(file) and _is_roots_alone(file.parent)):
            others = Wording(
                "users other than root may change {file}, and root runs the program that `command` in [asterisk] names",
                {"file": str(file)},
            )
            return fail(others, f"chown root {file.parent} {file}; chmod g-w {file.parent} {file}")
    if state.exists() and state.stat().st_mode & 0o002:
        return fail(Wording("other users may write in {folder}", {"folder": str(state)}), f"chmod o-w {state}")
    where: Places = {
        "file": str(file) if file else Wording("no settings file, so the defaults apply"),
        "folder": str(state),
    }
    return ok(Wording("settings: {file}; state: {folder}", where))


def _is_roots_alone(path: Path) -> bool:
    status = path.stat()
    return status.st_uid == 0 and not status.st_mode & 0o020


def _may_read(file: Path, user: str, group: str) -> bool:
    """Return whether a service with this user and group may read the file. True if user or group do not exist yet."""
    try:
        uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        return True
    groups = os.getgrouplist(user, gid)

    def may(path: Path, bit: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid in groups else 0
        return bool(status.st_mode >> shift & bit)

    return may(file.parent, 0o1) and may(file, 0o4)


def has_private_secrets(context: CheckContext) -> Finding:
    """Check that the secret files named in the settings can be read only by the owner of the state directory."""
    names = dict.fromkeys(secret_files(context.loaded.settings))
    wrong: list[OutsideError] = []
    for name in names:
        try:
            secret_of(name)
        except OutsideError as error:
            wrong.append(error)
    if wrong:
        wrong.sort(key=lambda error: error.code != SECRET_OPEN)
        problems = and_more(wrong[0].words, len(wrong) - 1)
        return (fail if wrong[0].code == SECRET_OPEN else warn)(problems, TEST_EVENTS)
    return ok(
        Wording("{count} secret files, readable by CallSieve alone", {"count": len(names)}) if names else NO_SECRET
    )


def is_closed(context: CheckContext) -> Finding:
    """Check that Asterisk's control socket is open neither to the service nor to all users."""
    folder = setting_in(context.ask("core show settings"), "Run/Sockets directory")
    if folder is None:
        return unknown(Wording("Asterisk does not say where its control socket is"))
    path = Path(folder).resolve() / CONTROL_SOCKET
    status = path.stat()
    where: Places = {"file": str(path)}
    remedy = Wording("remove astctlpermissions from asterisk.conf, and restart Asterisk")
    if status.st_mode & 0o002:
        return warn(
            Wording("every user of this server may use {file}, which gives them all rights of Asterisk's user", where),
            remedy,
        )
    if status.st_mode & 0o020 and _is_open_to_service(read_text(context.place.unit) or "", path, status.st_gid):
        return warn(
            Wording("the service may use {file}, which gives the service all rights of Asterisk's user", where), remedy
        )
    return ok(Wording("the service cannot open Asterisk's control socket"))


def _is_open_to_service(unit: str, path: Path, group: int) -> bool:
    try:
        name = grp.getgrgid(group).gr_name
    except KeyError:
        name = str(group)
    closed = map(Path, _CLOSED.findall(unit))
    return name in _GROUP.findall(unit) and not any(path.is_relative_to(directory) for directory in closed)
