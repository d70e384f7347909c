"""The doctor's check of the control socket: whoever may use it has a shell as Asterisk, and the service may not."""

from __future__ import annotations

import grp
import re
from pathlib import Path

from callsieve.doctor.finding import CheckContext, Finding, ok, unknown, warn
from callsieve.pbx.cli_output import setting_in
from callsieve.pbx.config_files import read_text
from reputation.wording import Places, Wording

NAME = "asterisk.ctl"
# Not InaccessiblePaths=, as older units have it: the directory is another one after a restart of Asterisk.
_CLOSED = re.compile(r"^TemporaryFileSystem=([^\s:]+)(?::\S*)?$", re.MULTILINE)
_GROUP = re.compile(r"^Group=(\S+)$", re.MULTILINE)


def is_closed(ground: CheckContext) -> Finding:
    """Neither everybody nor the service may use it."""
    folder = setting_in(ground.ask("core show settings"), "Run/Sockets directory")
    if folder is None:
        return unknown(Wording("Asterisk does not say where its control socket is"))
    path = Path(folder).resolve() / NAME
    status = path.stat()
    where: Places = {"file": str(path)}
    way_out = Wording("take astctlpermissions out of asterisk.conf, and restart Asterisk")
    if status.st_mode & 0o002:
        return warn(Wording("everybody on this machine may use {file}: that is a shell as Asterisk", where), way_out)
    if status.st_mode & 0o020 and _is_open_to_service(read_text(ground.place.unit) or "", path, status.st_gid):
        return warn(Wording("the service may use {file}: that is a shell as Asterisk", where), way_out)
    return ok(Wording("closed to the service"))


def _is_open_to_service(unit: str, path: Path, group: int) -> bool:
    """Whether the unit runs in the group of the socket and does not close its directory."""
    try:
        name = grp.getgrgid(group).gr_name
    except KeyError:
        name = str(group)
    closed = map(Path, _CLOSED.findall(unit))
    return name in _GROUP.findall(unit) and not any(path.is_relative_to(one) for one in closed)
