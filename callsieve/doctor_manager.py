"""The doctor's checks of the manager user, through which we learn how calls end."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from callsieve.asterisk_output import permissions_in
from callsieve.examining import Finding, Ground, fail, ok, unknown, warn

READS = frozenset({"call", "cdr", "user", "agent"})
WRITES = frozenset({"reporting"})
LOGIN_SECONDS = 2.0
ANSWER_LIMIT = 8192

INSTALL = "callsieve asterisk install"
NO_LISTENER = "no manager user in these settings: nothing is learnt from how calls end"


def has_user(ground: Ground) -> Finding:
    """The manager user is there, may do what it needs and no more, and its file is private."""
    name = ground.loaded.settings.ami.username
    if not name:
        return warn(NO_LISTENER, INSTALL)
    if not name.isprintable() or " " in name:
        return fail("[ami] username has spaces or control characters in it", "choose another")
    permissions = permissions_in(ground.ask(f"manager show user {name}"))
    if permissions is None:
        return fail(f"Asterisk has no manager user {name}", f'{INSTALL}; asterisk -rx "manager reload"')
    read, write = permissions
    if missing := READS - read:
        return fail(f"{name} may not read {', '.join(sorted(missing))}", f"{INSTALL}: shows what differs")
    path = ground.place.manager
    if path.exists() and path.stat().st_mode & 0o007:
        return fail(f"others may read the secret in {path}", f"chmod o= {path}")
    if more := (write - WRITES) & {"originate", "system", "command", "config", "all"}:
        return warn(f"{name} may write {', '.join(sorted(more))}: as good as a shell", "write = reporting is enough")
    return ok(f"{name} may listen, and no more")


def can_log_in(ground: Ground) -> Finding:
    """Asterisk takes the name and secret of these settings."""
    ami = ground.loaded.settings.ami
    if not ami.username:
        return warn(NO_LISTENER, INSTALL)
    if not (ami.username + ami.secret).isprintable():
        return fail("[ami] username or secret has control characters in it", "choose another")
    login = f"Action: Login\r\nUsername: {ami.username}\r\nSecret: {ami.secret}\r\nEvents: off\r\n\r\n"
    began = time.monotonic()
    try:
        with closing(socket.create_connection((ami.host, ami.port), LOGIN_SECONDS)) as connection:
            connection.sendall(login.encode())
            said = _answer(connection, began + LOGIN_SECONDS)
            connection.sendall(b"Action: Logoff\r\n\r\n")
    except TimeoutError:
        return fail(f"{ami.host}:{ami.port} does not answer within {LOGIN_SECONDS:.0f} s", "is Asterisk frozen?")
    except OSError as error:
        return fail(f"{ami.host}:{ami.port}: {error.strerror}", "enabled = yes and port in manager.conf's [general]")
    milliseconds = 1000 * (time.monotonic() - began)
    if b"Response: Success" in said:
        return ok(f"as {ami.username} on {ami.host}:{ami.port}, {milliseconds:.0f} ms")
    if b"Response: Error" in said:
        way_out = "the secret in manager.d/callsieve.conf must be that of [ami]"
        return fail(f"Asterisk refuses {ami.username}", f"{way_out}: {INSTALL}")
    return unknown(f"what answers on {ami.host}:{ami.port} is not Asterisk's manager interface")


def _answer(connection: socket.socket, deadline: float) -> bytes:
    """What was said up to the end of the answer to the login."""
    said = b""
    while b"\r\n\r\n" not in said and len(said) < ANSWER_LIMIT:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = connection.recv(ANSWER_LIMIT)
        if not chunk:
            break
        said += chunk
    return said
