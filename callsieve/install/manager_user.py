"""Plans the manager user: its file, the line that includes this file, and the table `[ami]` of CallSieve's settings."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from callsieve.install.plan import OUR_MANAGER, FileChange, InstallError, InstallPaths, is_included, own_file, packaged
from callsieve.pbx.config_files import Line, read_text, walk, with_lines
from callsieve.settings import Ami, Loaded

PRIVATE_MODE = 0o640
DEFAULT_PORT = 5038

SECRET_LINE = re.compile(r"^secret\s*=\s*(\S+)", re.MULTILINE)


class ManagerPlan(NamedTuple):
    """How to add the manager user. `changes`: to Asterisk's files. `settings`: new lines for CallSieve's settings."""

    changes: list[FileChange]
    settings: list[str]
    remarks: list[str]


def plan_manager(place: InstallPaths, loaded: Loaded, new_secret: str, *, freepbx: bool) -> ManagerPlan:
    """Plan the manager user. `new_secret`: used if it has none. Raise InstallError if Asterisk cannot have the user."""
    ami = loaded.settings.ami
    user = ami.username or "callsieve"
    main = place.etc / "manager.conf"
    if read_text(main) is None:
        raise InstallError(f"{main} does not exist, so Asterisk has no manager interface: add it, or use --no-ami")
    lines = list(walk(place.etc, main))
    other = next((line for line in lines if line.section == user and line.file != place.manager), None)
    if other is not None:
        where = f"{other.file}:{other.number}"
        return ManagerPlan(
            [],
            [],
            [f"the manager user {user} is already in {where}: write the user's secret into [ami] of the settings"],
        )
    secret = _secret_of(ami, read_text(place.manager)) or new_secret
    if not secret.isprintable() or " " in secret:
        raise InstallError("[ami] secret: Asterisk accepts no spaces or control characters in a secret: choose another")
    text = manager_text(packaged("callsieve-manager.conf"), user, secret)
    own = own_file(place.manager, text, PRIVATE_MODE, place.group)
    custom = place.etc / "manager_custom.conf"  # FreePBX writes manager.conf itself, and includes this
    target = custom if freepbx and is_included(place.etc, lines, custom) else main
    port = _port(_general(lines, "port"))
    settings, remarks = _ami_table(place, loaded, user, secret, port)
    if not _is_on(_general(lines, "enabled")):
        remarks.append(f"the manager interface is off: set `enabled = yes` in [general] of {main}")
    return ManagerPlan([own, _include_of_manager(place, target, lines)], settings, remarks)


def _secret_of(ami: Ami, text: str | None) -> str:
    match = SECRET_LINE.search(text or "")
    return ami.secret or (match[1].replace("\\;", ";") if match else "")


def manager_text(template: str, user: str, secret: str) -> str:
    """Return the text of the manager user's file. A `;` in the secret is escaped, because it would begin a comment."""
    return template.replace("[callsieve]", f"[{user}]").replace("@SECRET@", secret.replace(";", "\\;"))


def _include_of_manager(place: InstallPaths, target: Path, lines: list[Line]) -> FileChange:
    before = read_text(target)
    if is_included(place.etc, lines, place.manager):
        return FileChange(target, before, before)
    return FileChange(target, before, with_lines(before, [f'#include "{OUR_MANAGER}"']), copied=before is not None)


def _general(lines: list[Line], key: str) -> str:
    section, value = "", ""
    for line in lines:
        section = line.section or section
        name, equals, rest = line.text.partition("=")
        if section == "general" and equals and name.strip().lower() == key:
            value = rest.removeprefix(">").strip()
    return value


def _is_on(value: str) -> bool:
    return value.lower() in ("yes", "true", "y", "t", "1", "on")


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else DEFAULT_PORT


def _ami_table(place: InstallPaths, loaded: Loaded, user: str, secret: str, port: int) -> tuple[list[str], list[str]]:
    ami = loaded.settings.ami
    file = loaded.settings_file
    before = read_text(file)
    if before is not None and "ami" in tomllib.loads(before):
        remarks = [] if ami.port == port else [f"{file}: [ami] needs port = {port}, as in {place.etc}/manager.conf"]
        if not (ami.username and ami.secret):
            remarks.append(f"{file}: [ami] has no username or secret: copy them from {place.manager}")
        return [], remarks
    lines = ["[ami]", f'username = "{user}"']
    if not ami.secret:  # otherwise it is in the environment
        lines.append(f"secret = {toml_text(secret)}")
    if port != DEFAULT_PORT:
        lines.append(f"port = {port}")
    return lines, []


def toml_text(text: str) -> str:
    """Return the text as a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
