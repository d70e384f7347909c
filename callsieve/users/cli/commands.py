"""`callsieve user`: who may use the console."""

from __future__ import annotations

import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    confirmed,
    existing_store,
    print_json,
    settings_of,
)
from callsieve.cli.store import changing

if TYPE_CHECKING:
    from callsieve.settings import Loaded
    from reputation.users import ConsoleUser, Role

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in by.", show_default=False)]
ROLES = "viewer, operator or administrator"


def add_to(app: typer.Typer) -> None:
    """Add `user add`, `list`, `password`, `role`, `reset-totp` and `remove`."""
    group = typer.Typer(help="Who may use the console.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(show)
    group.command("password")(password)
    group.command("role")(role)
    group.command("reset-totp")(reset_totp)
    group.command("remove")(remove)
    app.add_typer(group, name="user")


def add(
    name: NameArgument,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=f"{ROLES}.")] = "viewer",
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="EXT", help="In whose name the user marks numbers.", show_default=False),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Let somebody use the console. The password is asked for, or read from standard input."""
    from callsieve.cli.output import say
    from reputation.store.users import add_user
    from reputation.users import NAME, ConsoleUser

    if not NAME.fullmatch(name):
        raise CommandError(
            f"{name[:40]!r} is no name: at most 64 letters, digits, _ . @ and -, a letter or digit first"
        )
    loaded, wanted = settings_of(config), _role(role)
    with any_store(loaded) as db:
        _check_free(db, name)
        _check_person(db, loaded, person)
        fresh, now = _asked(name), time.time()
        user = ConsoleUser(name, wanted, person, now, now)
        with changing(db, "user add", name=name) as change:
            _check_free(db, name)
            change.after = _as_json(user)
            add_user(db, user, fresh)
    say(f"{name} may use the console as {wanted.word}: http://{loaded.settings.web.listen}")
    if not loaded.settings.web.enabled:
        say("It runs by `callsieve web`, or beside the daemon with `[web] enabled = true`.")


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show who may use the console."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import day
    from reputation.store.users import all_users

    with existing_store(settings_of(config)) as db:
        users = all_users(db)
    if as_json:
        print_json([{**_as_json(user), "second_factor": user.has_second_factor} for user in users])
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


def password(name: NameArgument, config: ConfigOption = None) -> None:
    """Set another password; whoever is logged in with the old one is out."""
    from callsieve.cli.output import say
    from reputation.store.users import set_password

    with existing_store(settings_of(config)) as db:
        _existing(db, name)
        fresh = _asked(name)
        with changing(db, "user password", name=name) as change:
            _existing(db, name)  # it may be gone since the question
            change.after = {"password": "changed"}
            set_password(db, name, fresh, time.time())
    say(f"The password of {name} is changed; all their sessions are over.")


def role(
    name: NameArgument,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"{ROLES}.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Give somebody another role; they have to log in again."""
    from callsieve.cli.output import say
    from reputation.store.users import all_users, set_role

    wanted = _role(role)
    with existing_store(settings_of(config)) as db, changing(db, "user role", name=name) as change:
        before = _existing(db, name)
        if wanted < before.role:
            _keep_an_administrator(before, all_users(db))
        change.before, change.after = {"role": before.role.word}, {"role": wanted.word}
        set_role(db, name, wanted)
    say(f"{name} is {wanted.word} (was {before.role.word}).")


def reset_totp(name: NameArgument, config: ConfigOption = None) -> None:
    """Take the second factor from somebody who has lost it; they log in by the password alone."""
    from callsieve.cli.output import say
    from reputation.store.users import set_second_factor

    with existing_store(settings_of(config)) as db, changing(db, "user reset-totp", name=name) as change:
        if not _existing(db, name).has_second_factor:
            raise CommandError(f"{name} has no second factor")
        change.after = {"second_factor": "turned off"}
        set_second_factor(db, name, None)
    say(f"{name} logs in by the password alone; all their sessions are over.")


def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take the console away from somebody; all their sessions are over."""
    from callsieve.cli.output import say
    from reputation.store.users import remove_user

    with existing_store(settings_of(config)) as db:
        before = _removable(db, name)
        if not confirmed(f"Take the console away from {name} ({before.role.word})?", yes=yes):
            say("Nothing was changed.")
            return
        with changing(db, "user remove", name=name) as change:
            change.before = _as_json(_removable(db, name))  # others may have changed it since the question
            remove_user(db, name)
    say(f"{name} may not use the console any more. To let them: callsieve user add {name} --role {before.role.word}")


def _check_free(db: sqlite3.Connection, name: str) -> None:
    from reputation.store.users import user_of

    if user_of(db, name):
        raise CommandError(f"there is a user {name!r} already: `callsieve user role` and `password` change it")


def _existing(db: sqlite3.Connection, name: str) -> ConsoleUser:
    from policies.hints import nearest
    from reputation.store.users import all_users

    users = {one.name: one for one in all_users(db)}
    if name not in users:
        raise CommandError(
            f"there is no user {name[:40]!r}{nearest(name, users) if users else ''}: `callsieve user list`"
        )
    return users[name]


def _removable(db: sqlite3.Connection, name: str) -> ConsoleUser:
    """The user, who may go. CommandError for the last administrator, unless nobody else is left behind."""
    from reputation.store.users import all_users

    users = all_users(db)
    user = _existing(db, name)
    if len(users) > 1:
        _keep_an_administrator(user, users)
    return user


def _keep_an_administrator(user: ConsoleUser, users: list[ConsoleUser]) -> None:
    from reputation.users import is_last_administrator

    if is_last_administrator(user, users):
        raise CommandError(f"{user.name} is the last administrator: make another one first")


def _check_person(db: sqlite3.Connection, loaded: Loaded, extension: str | None) -> None:
    from callsieve.wiring import people_of
    from policies.hints import nearest
    from reputation.store.people import all_people

    people = {one.extension for one in (*all_people(db), *people_of(loaded.settings))}
    if extension is not None and extension not in people:
        raise CommandError(f"--person {extension[:40]}: there is no such person{nearest(extension, people)}")


def _role(word: str) -> Role:
    from policies.hints import nearest
    from reputation.users import ROLE_BY_WORD

    if word not in ROLE_BY_WORD:
        raise CommandError(f"there is no role {word[:40]!r}{nearest(word, ROLE_BY_WORD)}: {ROLES}")
    return ROLE_BY_WORD[word]


def _asked(name: str) -> str:
    """The hash of a password that is typed twice at a terminal, or else is the first line of standard input."""
    from getpass import getpass

    from callsieve.users.passwords import PasswordError, hashed

    if sys.stdin.isatty():
        typed = getpass(f"Password for {name}: ", sys.stderr)
        if getpass("The same again: ", sys.stderr) != typed:
            raise CommandError("the two are not the same. Nothing was changed")
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    try:
        return hashed(typed, name=name)
    except PasswordError as error:
        raise CommandError(str(error)) from None


def _as_json(user: ConsoleUser) -> dict[str, object]:
    return {
        "name": user.name,
        "role": user.role.word,
        "person": user.extension,
        "added_at": user.added_at,
        "password_at": user.password_at,
    }
