"""The system users that the units run as, one for each level of trust: docs/threat-model.md#users-of-the-system."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress

from callsieve.settings import Settings

SERVICE_USER = "callsieve"  # the daemon, the console, the API, timers: it has the store
PUBLIC_USER = "callsieve-public"  # what strangers reach: it is believed and obeyed by nobody


def ids_of(name: str) -> tuple[int, int] | None:
    """Return the IDs of a user and its group; None where this machine has no such user."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def user_id_of(name: str) -> int | None:
    """Return the ID of a user; None where this machine has no such user."""
    ids = ids_of(name)
    return None if ids is None else ids[0]


def is_ours_or(name: str, user: int | None) -> bool:
    """Whether a user ID is that of a named user or our own."""
    return user is not None and user in (os.geteuid(), user_id_of(name))


def obeyed_users(settings: Settings, service: int | None = None) -> frozenset[int]:
    """Their user IDs. Who owns Asterisk's configuration decides what the dialplan does, and so belongs to them.

    A user of the settings who is not there is left out. `service`: the daemon's user, if that is not who we are.
    """
    users = {0, os.geteuid() if service is None else service}
    with suppress(OSError):
        users.add(os.stat(settings.asterisk.etc).st_uid)
    for name in settings.agi.users:
        with suppress(KeyError):
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
    return frozenset(users)
