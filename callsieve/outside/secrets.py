"""Read secrets from `env:NAME` (an environment variable) or `file:/path` (a file that only CallSieve can read)."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.setting_types import SECRET_IN_ENVIRONMENT, SECRET_IN_FILE
from policies.files import open_regular

MOST_BYTES = 4096
OTHERS = stat.S_IRWXO | stat.S_IWGRP  # our group may read: systemd and packages hand over files that way


def secret_of(text: str) -> str:
    """Return the secret to which a setting refers. Raise OutsideError, without the secret, if it cannot be read."""
    if text.startswith(SECRET_IN_ENVIRONMENT):
        where, secret = text, os.environ.get(text.removeprefix(SECRET_IN_ENVIRONMENT), "")
    elif text.startswith(SECRET_IN_FILE):
        where = text.removeprefix(SECRET_IN_FILE)
        secret = _in_file(Path(where))
    else:
        raise OutsideError(OutsideProblem.SECRET_IN_SETTINGS)
    secret = secret.strip()
    if not secret or not secret.isprintable():
        raise OutsideError(OutsideProblem.NO_SECRET, where=where)
    return secret


def secret_files(table: Any) -> Iterator[str]:
    """Yield the values of all settings that name a file with a secret. These values begin with `file:`."""
    if isinstance(table, msgspec.Struct):
        for field in msgspec.structs.fields(type(table)):
            yield from secret_files(getattr(table, field.name))
    elif isinstance(table, tuple):
        for item in table:
            yield from secret_files(item)
    elif isinstance(table, str) and table.startswith(SECRET_IN_FILE):
        yield table


def _in_file(path: Path) -> str:
    """Return the content of a secret file. The file, and any link to it, must belong to root or this process's user."""
    try:
        with open_regular(path) as file:
            for status in (path.lstat(), os.fstat(file.fileno())):
                is_link = stat.S_ISLNK(status.st_mode)
                if status.st_uid not in (0, os.geteuid()) or (not is_link and status.st_mode & OTHERS):
                    raise OutsideError(OutsideProblem.SECRET_READABLE, where=str(path), user=_user())
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise OutsideError(OutsideProblem.SECRET_UNREADABLE, where=str(path), error=what) from None
    try:
        return raw.decode("utf-8") if len(raw) <= MOST_BYTES else ""
    except UnicodeDecodeError:
        return ""


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
