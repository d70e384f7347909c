"""The page *Users*, where administrators add, change and remove users."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.responses import Response

from callsieve.changes.operation import Context, Refused
from callsieve.users import operations
from callsieve.users.operations import NewUser, PasswordRequest, RoleRequest
from callsieve.users.passwords import hashed
from callsieve.web.request import NotFound, Page, PageRequest
from callsieve.wiring import people_of
from reputation.store.people import all_people
from reputation.store.users import all_users, sessions_of
from reputation.users import ROLE_BY_WORD, ConsoleUser, Role
from reputation.wording import Wording

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class UserShown:
    """A user. `seen_at`: when one of the user's sessions was last active; None without a session."""

    user: ConsoleUser
    sessions: int
    seen_at: float | None


@dataclass(frozen=True, slots=True)
class UsersShown:
    """The content of the page of users. `extensions`: extensions under which a user may mark numbers."""

    users: tuple[UserShown, ...]
    extensions: tuple[str, ...]
    roles: tuple[str, ...] = tuple(ROLE_BY_WORD)


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the page of users. `problem`: error message of a form."""
    extensions = tuple(person.extension for person in people_of(req.state.loaded.settings))
    shown = await req.read(users_shown, extensions)
    typed = {key: req.form.get(key, "") for key in ("name", "role", "person")}
    return req.page("users/users.html", 422 if problem else 200, users=shown, problem=problem, typed=typed)


async def add(req: PageRequest) -> Response:
    """Add a user."""
    form = req.form
    name, person = form.get("name", "").strip(), form.get("person", "").strip() or None
    request = NewUser(name, form.get("role", ""), person)
    try:
        await req.read(operations.check_new, req.context, request)
        await req.perform(operations.add, msgspec.structs.replace(request, password=await _hashed(req, name)))
    except Refused as refused:
        return await show(req, refused.words)
    return req.go("/users", "user-added")


async def change_role(req: PageRequest) -> Response:
    """Give a user another role. The user must log in again."""
    request = RoleRequest(req.path("name"), req.form.get("role", ""))
    return await _change(req, operations.change_role, request, "user-role")


async def reset(req: PageRequest) -> Response:
    """Set a new password for another user, and end all their sessions."""
    name = req.path("name")
    try:
        password = await _hashed(req, name)
    except Refused as refused:
        return await show(req, refused.words)
    return await _change(req, operations.reset_password, PasswordRequest(name, password), "user-password")


async def reset_second_factor(req: PageRequest) -> Response:
    """Remove the second factor of a user who has lost it, and end all their sessions."""
    return await _change(req, operations.reset_second_factor, req.path("name"), "user-second-factor")


async def remove(req: PageRequest) -> Response:
    """Remove a user."""
    return await _change(req, operations.remove, req.path("name"), "user-gone")


async def _change(
    req: PageRequest, operation: Callable[[sqlite3.Connection, Context, R], object], request: R, message: str
) -> Response:
    try:
        await req.perform(operation, request)
    except Refused as refused:
        if refused.code == "no-such-user":
            raise NotFound from None  # the path names no user
        raise
    return req.go("/users", message)


async def _hashed(req: PageRequest, name: str) -> str:
    return await req.state.hashing(lambda: hashed(req.form.get("password", ""), name=name))


def users_shown(db: sqlite3.Connection, from_settings: tuple[str, ...]) -> UsersShown:
    """Return the content of the page of users. `from_settings`: the extensions in the settings."""
    users = []
    for user in all_users(db):
        sessions = sessions_of(db, user.name)
        users.append(UserShown(user, len(sessions), sessions[0].seen_at if sessions else None))
    extensions = {*from_settings, *(person.extension for person in all_people(db))}
    return UsersShown(tuple(users), tuple(sorted(extensions)))


PAGES = (
    Page("GET", "/users", show, Role.ADMINISTRATOR),
    Page("POST", "/users/add", add, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/role", change_role, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/password", reset, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/second-factor", reset_second_factor, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/remove", remove, Role.ADMINISTRATOR),
)
