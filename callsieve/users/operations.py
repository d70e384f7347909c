"""Operations on the console's users, by administrators and by the users themselves.

Passwords are passed as hashes (callsieve/users/passwords.py), because hashing takes too long for a transaction.
"""

import sqlite3
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, ExtensionText, NameText
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import UndoKind
from callsieve.wiring import people_of
from policies.files import nearest
from reputation.store.people import all_people
from reputation.store.users import (
    Lifetime,
    SecondFactor,
    accept_step,
    add_user,
    all_users,
    end_other_sessions,
    password_of,
    rehash,
    remove_user,
    second_factor_of,
    set_password,
    set_role,
    set_second_factor,
    start_session,
    user_of,
)
from reputation.users import NAME, ROLE_BY_WORD, ConsoleUser, Role, RoleWord, Session, UserName, is_last_administrator
from reputation.wording import Wording

PasswordText = Annotated[str, Meta(max_length=1000)]
NO_NAME = Wording("A name must be at most 64 letters, digits, _ . @ and -, and begin with a letter or digit.")
TAKEN = Wording("There is already a user with this name.")
NO_SECOND_FACTOR = Wording("This user has no second factor.")
NO_PERSON = Wording("There is no such person: import people, or name them in the settings.")
ON_ALREADY = Wording("The second factor is already on.")
CHANGED = Wording("Somebody else changed this user meanwhile. Your change was not made: try again.")
TOO_LATE = Wording("The login took too long, or something changed meanwhile. Log in again.")
ONESELF = Wording("You cannot do this to your own user: ask another administrator.")
LAST_ADMINISTRATOR = Wording("This is the last administrator: add another one first.")
NOWHERE_ELSE = Wording("You have no other sessions.")


class NewUser(msgspec.Struct, frozen=True):
    """A user to add.

    Attributes:
        person: The extension under which the user marks numbers; null if the user makes no marks.
        password: The password. Operations receive its hash.
    """

    name: UserName
    role: RoleWord = "viewer"
    person: ExtensionText | None = None
    password: PasswordText = ""


class RoleRequest(msgspec.Struct, frozen=True):
    """A new role for a user."""

    name: UserName
    role: RoleWord


class PasswordRequest(msgspec.Struct, frozen=True):
    """A new password for another user. `password`: the new password; operations receive its hash."""

    name: UserName
    password: PasswordText


class OwnPassword(NamedTuple):
    """A new password of the current user, as its hash. `session`: the token of the session that stays."""

    password: str
    session: str


class OwnSecondFactor(NamedTuple):
    """A request of the current user to turn the second factor on or off. `session`: token of the session that stays.

    `factor`: the second factor to turn on; None to turn it off. Turning it off needs `password`, the hash that matched,
    and `step`, the time step of the code.
    """

    session: str
    factor: SecondFactor | None = None
    password: str = ""
    step: int = 0


class Login(NamedTuple):
    """A login with a correct password. `password`: the hash that matched; `fresh`: a newer hash to store, if needed.

    `step`: the time step of the code; None without a second factor.
    """

    session: Session
    lifetime: Lifetime
    password: str
    fresh: str | None = None
    step: int | None = None


class RoleChange(NamedTuple):
    """A change of a user's role. `before`: the previous role. `role`: the new role."""

    change_id: ChangeId | None
    role: Role
    before: Role


class UserChange(NamedTuple):
    """A change of a user. `name`: the user's name."""

    change_id: ChangeId | None
    name: str


def find_users(db: sqlite3.Connection, _context: Context, request: PageQuery) -> ResultPage[ConsoleUser]:
    """Return the console's users, sorted by name."""
    return page_from(all_users(db), request, lambda user: (user.name,), lambda user: user)


def find_user(db: sqlite3.Connection, _context: Context, name: NameText) -> ConsoleUser:
    """Return a console user."""
    return _user_named(db, name)


def check_new(db: sqlite3.Connection, context: Context, request: NewUser) -> Role:
    """Return the role of a user to add, or raise Refused. Changes nothing: it can run before the password is known."""
    if not NAME.fullmatch(request.name):
        raise Refused("bad-name", NO_NAME)
    role = _role(request.role)
    if user_of(db, request.name):
        raise Refused("name-taken", TAKEN)
    people = {person.extension for person in (*all_people(db), *people_of(context.settings))}
    if request.person is not None and request.person not in people:
        raise Refused("unknown-person", NO_PERSON, "person")
    return role


def add(db: sqlite3.Connection, context: Context, request: NewUser) -> RoleChange:
    """Add a console user."""
    with change(db, context, "user add", name=request.name) as changed:
        role = check_new(db, context, request)
        user = ConsoleUser(request.name, role, request.person, context.at, context.at)
        changed.after = user
        add_user(db, user, request.password)
    return RoleChange(changed.id, role, role)


def change_role(db: sqlite3.Connection, context: Context, request: RoleRequest) -> RoleChange:
    """Give a user another role. The user must log in again."""
    role = _role(request.role)
    with change(db, context, "user role", name=request.name) as changed:
        user = other_user(db, context, request.name)
        changed.before, changed.after = {"role": user.role.word}, {"role": role.word}
        give_role(db, context, user.name, role)
    return RoleChange(changed.id, role, user.role)


def reset_password(db: sqlite3.Connection, context: Context, request: PasswordRequest) -> UserChange:
    """Set a new password for another user, and end all their sessions."""
    with change(db, context, "user password", name=request.name) as changed:
        other_user(db, context, request.name)
        changed.after = {"password": "changed"}
        set_password(db, request.name, request.password, context.at)
    return UserChange(changed.id, request.name)


def reset_second_factor(db: sqlite3.Connection, context: Context, name: NameText) -> UserChange:
    """Remove the second factor of a user who has lost it, and end all their sessions."""
    with change(db, context, "user reset-totp", name=name) as changed:
        if not other_user(db, context, name).has_second_factor:
            raise Refused("no-second-factor", NO_SECOND_FACTOR)
        changed.after = {"second_factor": "turned off"}
        set_second_factor(db, name, None)
    return UserChange(changed.id, name)


def removable(db: sqlite3.Connection, context: Context, name: str) -> ConsoleUser:
    """Return the user with this name if they may be removed; otherwise raise Refused. Changes nothing."""
    user = other_user(db, context, name)
    _check_may_go(db, name)
    return user


def remove(db: sqlite3.Connection, context: Context, name: NameText) -> UserChange:
    """Remove a user, and end all their sessions."""
    with change(db, context, "user remove", name=name) as changed:
        changed.before = other_user(db, context, name)
        take_away(db, context, name)
    return UserChange(changed.id, name)


def other_user(db: sqlite3.Connection, context: Context, name: str) -> ConsoleUser:
    """Return the user with this name. Raise Refused if it is the current user."""
    user = _user_named(db, name)
    _check_other(context, name)
    return user


def give_role(db: sqlite3.Connection, context: Context, name: str, role: Role) -> None:
    """Give a user another role. Raise Refused if no administrator would remain."""
    _check_other(context, name)
    if role < Role.ADMINISTRATOR:
        _keep_an_administrator(db, name)
    set_role(db, name, role)


def take_away(db: sqlite3.Connection, context: Context, name: str) -> None:
    """Remove a user. Raise Refused if the user may not be removed."""
    _check_other(context, name)
    _check_may_go(db, name)
    remove_user(db, name)


# Changes of users to themselves. They have just entered their password.


def change_own_password(db: sqlite3.Connection, context: Context, request: OwnPassword) -> None:
    """Change the current user's password, and end their other sessions."""
    with change(db, context, "user password", name=context.user) as changed:
        changed.after = {"password": "changed"}
        set_password(db, context.user, request.password, context.at, but=request.session)


def turn_on_second_factor(db: sqlite3.Connection, context: Context, request: OwnSecondFactor) -> None:
    """Require a code at login from now on, and end the user's other sessions."""
    with change(db, context, "user totp", name=context.user) as changed:
        if second_factor_of(db, context.user) is not None:
            raise Refused("on-already", ON_ALREADY)
        changed.after = {"second_factor": "turned on"}
        set_second_factor(db, context.user, request.factor, but=request.session)


def turn_off_second_factor(db: sqlite3.Connection, context: Context, request: OwnSecondFactor) -> None:
    """Require only the password at login from now on, and end the user's other sessions."""
    with change(db, context, "user totp", name=context.user) as changed:
        if not accept_step(db, context.user, request.password, request.step):
            raise Refused("changed-since", CHANGED)
        changed.after = {"second_factor": "turned off"}
        set_second_factor(db, context.user, None, but=request.session)


def log_out_elsewhere(db: sqlite3.Connection, context: Context, session: str) -> None:
    """End the user's other sessions."""
    with change(db, context, "log out", name=context.user) as changed:
        ended = end_other_sessions(db, context.user, session)
        if not ended:
            raise Refused("nowhere-else", NOWHERE_ELSE)
        changed.before, changed.after = {"sessions": ended + 1}, {"sessions": 1}


def log_in(db: sqlite3.Connection, context: Context, request: Login) -> None:
    """Start a session with a new token. Raise Refused if the checked password or second factor is no longer valid."""
    name, password = context.user, request.password
    with change(db, context, "login", name=request.session.address):
        if request.step is None:
            still = password_of(db, name) == password and second_factor_of(db, name) is None
        else:
            still = accept_step(db, name, password, request.step)
        if not still:
            raise Refused("changed-since", TOO_LATE)
        start_session(db, request.session, request.lifetime)
        if request.fresh is not None:
            rehash(db, name, password, request.fresh)


def _check_other(context: Context, name: str) -> None:
    if name == context.user:
        raise Refused("oneself", ONESELF)


def _check_may_go(db: sqlite3.Connection, name: str) -> None:
    if len(all_users(db)) > 1:
        _keep_an_administrator(db, name)


def _keep_an_administrator(db: sqlite3.Connection, name: str) -> None:
    user = user_of(db, name)
    if user is not None and is_last_administrator(user, all_users(db)):
        raise Refused("last-administrator", LAST_ADMINISTRATOR)


def _user_named(db: sqlite3.Connection, name: str) -> ConsoleUser:
    users = {user.name: user for user in all_users(db)}
    if name not in users:
        hint = nearest(name, users) if users else ""
        raise Refused("no-such-user", f"there is no user {name[:40]!r}{hint}; `callsieve user list` shows all")
    return users[name]


def _role(word: str) -> Role:
    if word not in ROLE_BY_WORD:
        words = f"there is no role {word[:40]!r}{nearest(word, ROLE_BY_WORD)}"
        raise Refused("unknown-role", words)
    return ROLE_BY_WORD[word]


# Undoing a change: by the user's name and role.

ADDED = UndoKind(
    lambda _db, row, value: (row.name, ROLE_BY_WORD[value["role"]]),
    lambda db, _, given: (user := user_of(db, given[0])) and (user.name, user.role),
    lambda db, context, given: take_away(db, context, given[0]),
    lambda db, context, given: give_role(db, context, *given),
)
ROLE = ADDED._replace(replaces=True)
