"""Whose requests over FastAGI and the Unix socket are obeyed: Asterisk's user, root and our own."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress

from callsieve.settings import Settings


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
