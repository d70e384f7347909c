"""Who may use the console: added, given another role or password, and taken out; for administrators."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.users.passwords import PasswordError, hashed
from callsieve.web.request import NotThere, Visit
from callsieve.web.routes import Page
from callsieve.web.words import N_
from callsieve.wiring import people_of
from reputation.store.audit import Change
from reputation.store.people import all_people
from reputation.store.users import (
    add_user,
    all_users,
    remove_user,
    sessions_of,
    set_password,
    set_role,
    set_second_factor,
    user_of,
)
from reputation.users import NAME, ROLE_BY_WORD, ConsoleUser, Role, is_last_administrator
from reputation.wording import Wording

NO_NAME = N_("A name has at most 64 letters, digits, _ . @ and -, a letter or digit first.")
TAKEN = N_("There is a user of this name already.")
LAST = N_("This is the last administrator: make another one first.")
ONESELF = N_("Another administrator does that: nobody takes the console away from themselves.")
NO_SECOND_FACTOR = N_("This user has no second factor.")
NO_PERSON = N_("There is no such person: import people, or name them in the settings.")


@dataclass(frozen=True, slots=True)
class UserShown:
    """A user; `seen_at`: when somebody was last seen who is logged in as this one, None for nobody."""

    user: ConsoleUser
    sessions: int
    seen_at: float | None


@dataclass(frozen=True, slots=True)
class UsersShown:
    """The page. `extensions`: the people of ours in whose name a user can mark."""

    users: tuple[UserShown, ...]
    extensions: tuple[str, ...]
    roles: tuple[str, ...] = tuple(ROLE_BY_WORD)


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """Somebody more."""
    form, now = visit.form, visit.now
    name, person = form.get("name", "").strip(), form.get("person", "").strip() or None
    role = _role(form.get("role", ""))
    if not NAME.fullmatch(name):
        return await _page(visit, NO_NAME)
    try:
        password = await visit.desk.hashing(lambda: hashed(form.get("password", ""), name=name))
    except PasswordError as error:
        return await _page(visit, error.words)
    user = ConsoleUser(name, role, person, now, now)
    ours = {one.extension for one in people_of(visit.desk.loaded.settings)}

    def write(db: sqlite3.Connection, change: Change) -> None:
        if user_of(db, name) is not None:
            raise Refused("refused", TAKEN)
        if person is not None and person not in ours | {one.extension for one in all_people(db)}:
            raise Refused("refused", NO_PERSON)
        change.after = _as_json(user)
        add_user(db, user, password)

    try:
        await visit.change("user add", write, name=name)
    except Refused as refused:
        return await _page(visit, str(refused))
    return visit.go("/users", "user-added")


async def change_role(visit: Visit) -> Response:
    """Another role; the user has to log in again."""
    role = _role(visit.form.get("role", ""))

    def write(db: sqlite3.Connection, change: Change) -> None:
        user = _other(db, visit)
        if role is not Role.ADMINISTRATOR:
            _keep_an_administrator(db, user)
        change.before, change.after = {"role": user.role.word}, {"role": role.word}
        set_role(db, user.name, role)

    await visit.change("user role", write, name=visit.path("name"))
    return visit.go("/users", "user-role")


async def reset(visit: Visit) -> Response:
    """Another password; whoever is logged in with the old one is out."""
    name, now = visit.path("name"), visit.now
    try:
        password = await visit.desk.hashing(lambda: hashed(visit.form.get("password", ""), name=name))
    except PasswordError as error:
        return await _page(visit, error.words)

    def write(db: sqlite3.Connection, change: Change) -> None:
        user = _other(db, visit)
        change.after = {"password": "changed"}
        set_password(db, user.name, password, now)

    await visit.change("user password", write, name=name)
    return visit.go("/users", "user-password")


async def reset_second_factor(visit: Visit) -> Response:
    """No second factor any more, for who has lost theirs; all their sessions are over."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        user = _other(db, visit)
        if not user.has_second_factor:
            raise Refused("refused", NO_SECOND_FACTOR)
        change.after = {"second_factor": "turned off"}
        set_second_factor(db, user.name, None)

    await visit.change("user reset-totp", write, name=visit.path("name"))
    return visit.go("/users", "user-second-factor")


async def remove(visit: Visit) -> Response:
    """Takes the console away from somebody."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        user = _other(db, visit)
        _keep_an_administrator(db, user)
        change.before = _as_json(user)
        remove_user(db, user.name)

    await visit.change("user remove", write, name=visit.path("name"))
    return visit.go("/users", "user-gone")


def users_shown(db: sqlite3.Connection, ours: tuple[str, ...]) -> UsersShown:
    """What the page shows. `ours`: the extensions that the settings name."""
    users = []
    for user in all_users(db):
        sessions = sessions_of(db, user.name)
        users.append(UserShown(user, len(sessions), sessions[0].seen_at if sessions else None))
    extensions = {*ours, *(one.extension for one in all_people(db))}
    return UsersShown(tuple(users), tuple(sorted(extensions)))


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    ours = tuple(one.extension for one in people_of(visit.desk.loaded.settings))
    shown = await visit.read(users_shown, ours)
    typed = {key: visit.form.get(key, "") for key in ("name", "role", "person")}
    return visit.page("users/users.html", 422 if problem else 200, users=shown, problem=problem, typed=typed)


def _other(db: sqlite3.Connection, visit: Visit) -> ConsoleUser:
    """The user of the address, who is not the visitor."""
    user = user_of(db, visit.path("name"))
    if user is None:
        raise NotThere
    if user.name == visit.me.name:
        raise Refused("refused", ONESELF)
    return user


def _keep_an_administrator(db: sqlite3.Connection, user: ConsoleUser) -> None:
    if is_last_administrator(user, all_users(db)):
        raise Refused("refused", LAST)


def _role(word: str) -> Role:
    if word not in ROLE_BY_WORD:
        raise NotThere
    return ROLE_BY_WORD[word]


def _as_json(user: ConsoleUser) -> dict[str, object]:
    return {"name": user.name, "role": user.role.word, "person": user.extension}


PAGES = (
    Page("GET", "/users", show, Role.ADMINISTRATOR),
    Page("POST", "/users/add", add, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/role", change_role, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/password", reset, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/second-factor", reset_second_factor, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/remove", remove, Role.ADMINISTRATOR),
)
