"""The commands `callsieve user`: manage the users of the console."""

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
from reputation.users import Role

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The login name.", show_default=False)]
ROLES = "viewer, operator or administrator"


def add(
    name: NameArgument,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=f"{ROLES}.")] = "viewer",
    person: Annotated[
        str | None,
        typer.Option(
            "--person",
            metavar="EXT",
            help="The extension of the person who uses this login. The user's marks count as this person's.",
            show_default=False,
        ),
    ] = None,
    config: options.ConfigOption = None,
) -> None:
    """Add a console user. The password is asked for, or read from standard input."""
    loaded, wanted = options.settings_of(config), NewUser(name, role, person)
    with options.any_store(loaded) as db:
        operations.check_new(db, options.context_of(loaded), wanted)
        has_administrator = any(user.role is Role.ADMINISTRATOR for user in all_users(db))
    added = options.perform(loaded, operations.add, msgspec.structs.replace(wanted, password=_asked(name)))
    say(f"{name} may use the console as {added.role.word}: http://{loaded.settings.web.listen}")
    if not has_administrator and added.role is not Role.ADMINISTRATOR:
        say(
            f"No user is an administrator yet. To make {name} an administrator: callsieve user role {name} "
            f"administrator"
        )
    if not loaded.settings.web.enabled:
        say("The console is off: set `enabled = true` in [web] of the settings, or run `callsieve web`.")
    say_undo(added.change_id, config)


def show(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the console's users."""
    with options.existing_store(options.settings_of(config)) as db:
        users = all_users(db)
    if as_json:
        options.print_json(users)
    elif users:
        rows = [
            (
                *(user.name, user.role.word, user.extension or "", day(user.added_at), day(user.password_at)),
                "on" if user.has_second_factor else "",
            )
            for user in users
        ]
        print_table(("name", "role", "person", "added", "password set", "second factor"), rows)
    else:
        say("There are no users yet. To add one: callsieve user add NAME --role administrator")


def password(name: NameArgument, config: options.ConfigOption = None) -> None:
    """Set a new password for a user, and end all their sessions."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        operations.other_user(db, options.context_of(loaded), name)
    options.perform(loaded, operations.reset_password, PasswordRequest(name, _asked(name)), existing=True)
    say(f"Changed the password of {name}. All their sessions have ended.")


def role(
    name: NameArgument,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"{ROLES}.", show_default=False)],
    config: options.ConfigOption = None,
) -> None:
    """Give a user another role. The user must log in again."""
    done = options.perform(options.settings_of(config), operations.change_role, RoleRequest(name, role), existing=True)
    say(f"{name} is {done.role.word} (was {done.before.word}).")
    say_undo(done.change_id, config)


def reset_totp(name: NameArgument, config: options.ConfigOption = None) -> None:
    """Remove the second factor of a user who has lost it. The user then logs in with only the password."""
    options.perform(options.settings_of(config), operations.reset_second_factor, name, existing=True)
    say(f"{name} logs in with the password alone. All their sessions have ended.")


def remove(
    name: NameArgument,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Remove a user, and end all their sessions. This cannot be undone."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        before = operations.removable(db, options.context_of(loaded), name)
    if not options.confirmed(f"Remove the user {name} ({before.role.word})?", yes=yes):
        say("Nothing was changed.")
        return
    options.perform(loaded, operations.remove, name, existing=True)
    say(f"Removed the user {name}.")


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        typed = getpass(f"Password for {name}: ", sys.stderr)
        if getpass("Repeat it: ", sys.stderr) != typed:
            raise CommandError("the two passwords differ. Nothing was changed")
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    return hashed(typed, name=name)
