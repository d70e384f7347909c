"""The doctor's checks of the manager user, through which we learn how calls end."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from callsieve.doctor.finding import NOT_ASKED, CheckContext, Finding, differs, fail, ok, unknown, warn
from callsieve.doctor.service import answer_on
from callsieve.pbx.cli_output import permissions_in
from reputation.wording import Places, Wording

READS = frozenset({"call", "cdr", "user", "agent"})
SHELL = frozenset({"originate", "system", "command", "config", "all"})
LOGIN_SECONDS = 2.0

INSTALL = "callsieve asterisk install"
NO_LISTENER = Wording("no manager user in these settings: nothing is learnt from how calls end")
ANOTHER = Wording("choose another")
NO_WRITE = Wording("remove its `write =` line: {command}", {"command": INSTALL})


def has_user(ground: CheckContext) -> Finding:
    """The manager user is there, may do what it needs and no more, and its file is private."""
    name = ground.loaded.settings.ami.username
    if not name:
        return warn(NO_LISTENER, INSTALL)
    if not name.isprintable() or " " in name:
        return fail(Wording("[ami] username has spaces or control characters in it"), ANOTHER)
    permissions = permissions_in(ground.ask(f"manager show user {name}"))
    if permissions is None:
        return fail(
            Wording("Asterisk has no manager user {user}", {"user": name}), f'{INSTALL}; asterisk -rx "manager reload"'
        )
    read, write = permissions
    if missing := READS - read:
        may_not: Places = {"user": name, "what": ", ".join(sorted(missing))}
        return fail(Wording("{user} may not read {what}", may_not), differs(INSTALL))
    path = ground.place.manager
    if path.exists() and path.stat().st_mode & 0o007:
        return fail(Wording("others may read the secret in {file}", {"file": str(path)}), f"chmod o= {path}")
    may: Places = {"user": name, "what": ", ".join(sorted(write))}
    if write & SHELL:
        return warn(Wording("{user} may write {what}: as good as a shell", may), NO_WRITE)
    if write:
        return warn(Wording("{user} may write {what}, which CallSieve does not need", may), NO_WRITE)
    return ok(Wording("{user} may listen, and has no right to write", {"user": name}))


def can_log_in(ground: CheckContext) -> Finding:
    """Asterisk takes the name and secret of these settings."""
    ami = ground.loaded.settings.ami
    if not ami.username:
        return warn(NO_LISTENER, INSTALL)
    if not (ami.username + ami.secret).isprintable():
        return fail(Wording("[ami] username or secret has control characters in it"), ANOTHER)
    where = f"{ami.host}:{ami.port}"
    login = f"Action: Login\r\nUsername: {ami.username}\r\nSecret: {ami.secret}\r\nEvents: off\r\n\r\n"
    began = time.monotonic()
    try:
        with closing(socket.create_connection((ami.host, ami.port), LOGIN_SECONDS)) as connection:
            connection.sendall(login.encode())
            said = answer_on(connection, began + LOGIN_SECONDS, b"\r\n\r\n")
            connection.sendall(b"Action: Logoff\r\n\r\n")
    except TimeoutError:
        return fail(
            Wording("{where} does not answer within {seconds:.0f} s", {"where": where, "seconds": LOGIN_SECONDS}),
            Wording("is Asterisk frozen?"),
        )
    except OSError as error:
        if ground.is_asterisk_down:
            return unknown(NOT_ASKED)
        way_out = Wording("if Asterisk runs: enabled = yes and port in manager.conf's [general]")
        return fail(f"{where}: {error.strerror}", way_out)
    milliseconds = 1000 * (time.monotonic() - began)
    if b"Response: Success" in said:
        return ok(
            Wording("as {user} on {where}, {ms:.0f} ms", {"user": ami.username, "where": where, "ms": milliseconds})
        )
    if b"Response: Error" in said:
        way_out = Wording(
            "the secret in manager.d/callsieve.conf must be that of [ami]: {command}", {"command": INSTALL}
        )
        return fail(Wording("Asterisk refuses {user}", {"user": ami.username}), way_out)
    return unknown(Wording("what answers on {where} is not Asterisk's manager interface", {"where": where}))
