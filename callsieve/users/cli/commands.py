"""`callsieve user`: who may use the console."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Annotated

import msgspec
import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError
from callsieve.cli.output import print_table, say, say_undo
from callsieve.text.times import day
from callsieve.users import operations
from callsieve.users.operations import NewUser, PasswordRequest, RoleRequest
from callsieve.users.passwords import hashed
from reputation.store.users import all_users

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in by.", show_default=False)]
ROLES = "viewer, operator or administrator"


def add(
    name: NameArgument,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=f"{ROLES}.")] = "viewer",
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="EXT", help="In whose name the user marks numbers.", show_default=False),
    ] = None,
    config: options.ConfigOption = None,
) -> None:
    """Let somebody use the console. The password is asked for, or read from standard input."""
    loaded, wanted = options.settings_of(config), NewUser(name, role, person)
    with options.any_store(loaded) as db:
        operations.check_new(db, options.context_of(loaded), wanted)
    added = options.perform(loaded, operations.add, msgspec.structs.replace(wanted, password=_asked(name)))
    say(f"{name} may use the console as {added.role.word}: http://{loaded.settings.web.listen}")
    if not loaded.settings.web.enabled:
        say("It runs by `callsieve web`, or beside the daemon with `[web] enabled = true`.")
    say_undo(added.change_id, config)


def show(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show who may use the console."""
    with options.existing_store(options.settings_of(config)) as db:
        users = all_users(db)
    if as_json:
        options.print_json(users)
    elif users:
        rows = [
            (
                *(one.name, one.role.word, one.extension or "", day(one.added_at), day(one.password_at)),
                "on" if one.has_second_factor else "",
            )
            for one in users
        ]
        print_table(("name", "role", "person", "added", "password of", "second factor"), rows)
    else:
        say("Nobody may use the console yet: `callsieve user add NAME --role administrator`.")


def password(name: NameArgument, config: options.ConfigOption = None) -> None:
    """Set another password; whoever is logged in with the old one is out."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        operations.other_user(db, options.context_of(loaded), name)
    options.perform(loaded, operations.reset_password, PasswordRequest(name, _asked(name)), existing=True)
    say(f"The password of {name} is changed; all their sessions are over.")


def role(
    name: NameArgument,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"{ROLES}.", show_default=False)],
    config: options.ConfigOption = None,
) -> None:
    """Give somebody another role; they have to log in again."""
    done = options.perform(options.settings_of(config), operations.change_role, RoleRequest(name, role), existing=True)
    say(f"{name} is {done.role.word} (was {done.before.word}).")
    say_undo(done.change_id, config)


def reset_totp(name: NameArgument, config: options.ConfigOption = None) -> None:
    """Take the second factor from somebody who has lost it; they log in by the password alone."""
    options.perform(options.settings_of(config), operations.reset_second_factor, name, existing=True)
    say(f"{name} logs in by the password alone; all their sessions are over.")


def remove(
    name: NameArgument,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Take the console away from somebody; all their sessions are over. That cannot be undone."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        before = operations.removable(db, options.context_of(loaded), name)
    if not options.confirmed(f"Take the console away from {name} ({before.role.word})?", yes=yes):
        say("Nothing was changed.")
        return
    options.perform(loaded, operations.remove, name, existing=True)
    say(f"{name} may not use the console any more.")


def _asked(name: str) -> str:
    """The hash of a password that is typed twice at a terminal, or else is the first line of standard input."""
    if sys.stdin.isatty():
        typed = getpass(f"Password for {name}: ", sys.stderr)
        if getpass("The same again: ", sys.stderr) != typed:
            raise CommandError("the two are not the same. Nothing was changed")
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    return hashed(typed, name=name)
