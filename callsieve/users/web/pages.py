"""Who may use the console: added, given another role or password, and taken out; for administrators."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.responses import Response

from callsieve.changes.operation import Context, Refused
from callsieve.users import operations
from callsieve.users.operations import NewUser, PasswordRequest, RoleRequest
from callsieve.users.passwords import hashed
from callsieve.web.request import NotThere, Visit
from callsieve.web.routes import Page
from callsieve.wiring import people_of
from reputation.store.people import all_people
from reputation.store.users import all_users, sessions_of
from reputation.users import ROLE_BY_WORD, ConsoleUser, Role
from reputation.wording import Wording

R = TypeVar("R")


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
    form = visit.form
    name, person = form.get("name", "").strip(), form.get("person", "").strip() or None
    request = NewUser(name, form.get("role", ""), person)
    try:
        await visit.read(operations.check_new, visit.context, request)
        await visit.perform(operations.add, request._replace(password=await _hashed(visit, name)))
    except Refused as refused:
        return await _page(visit, refused.words)
    return visit.go("/users", "user-added")


async def change_role(visit: Visit) -> Response:
    """Another role; the user has to log in again."""
    request = RoleRequest(visit.path("name"), visit.form.get("role", ""))
    return await _change(visit, operations.change_role, request, "user-role")


async def reset(visit: Visit) -> Response:
    """Another password; whoever is logged in with the old one is out."""
    name = visit.path("name")
    try:
        password = await _hashed(visit, name)
    except Refused as refused:
        return await _page(visit, refused.words)
    return await _change(visit, operations.reset_password, PasswordRequest(name, password), "user-password")


async def reset_second_factor(visit: Visit) -> Response:
    """No second factor any more, for who has lost theirs; all their sessions are over."""
    return await _change(visit, operations.reset_second_factor, visit.path("name"), "user-second-factor")


async def remove(visit: Visit) -> Response:
    """Takes the console away from somebody."""
    return await _change(visit, operations.remove, visit.path("name"), "user-gone")


async def _change(
    visit: Visit, operation: Callable[[sqlite3.Connection, Context, R], object], request: R, said: str
) -> Response:
    try:
        await visit.perform(operation, request)
    except Refused as refused:
        if refused.code == "no-such-user":
            raise NotThere from None  # the address names nobody
        raise
    return visit.go("/users", said)


async def _hashed(visit: Visit, name: str) -> str:
    return await visit.desk.hashing(lambda: hashed(visit.form.get("password", ""), name=name))


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


PAGES = (
    Page("GET", "/users", show, Role.ADMINISTRATOR),
    Page("POST", "/users/add", add, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/role", change_role, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/password", reset, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/second-factor", reset_second_factor, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/remove", remove, Role.ADMINISTRATOR),
)
