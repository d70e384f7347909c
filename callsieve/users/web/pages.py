"""Who may use the console: added, given another role or password, and taken out; for administrators."""

from __future__ import annotations

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


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """The page, with what was wrong of what was asked."""
    ours = tuple(one.extension for one in people_of(req.state.loaded.settings))
    shown = await req.read(users_shown, ours)
    typed = {key: req.form.get(key, "") for key in ("name", "role", "person")}
    return req.page("users/users.html", 422 if problem else 200, users=shown, problem=problem, typed=typed)


async def add(req: PageRequest) -> Response:
    """Somebody more."""
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
    """Another role; the user has to log in again."""
    request = RoleRequest(req.path("name"), req.form.get("role", ""))
    return await _change(req, operations.change_role, request, "user-role")


async def reset(req: PageRequest) -> Response:
    """Another password; whoever is logged in with the old one is out."""
    name = req.path("name")
    try:
        password = await _hashed(req, name)
    except Refused as refused:
        return await show(req, refused.words)
    return await _change(req, operations.reset_password, PasswordRequest(name, password), "user-password")


async def reset_second_factor(req: PageRequest) -> Response:
    """No second factor any more, for who has lost theirs; all their sessions are over."""
    return await _change(req, operations.reset_second_factor, req.path("name"), "user-second-factor")


async def remove(req: PageRequest) -> Response:
    """Takes the console away from somebody."""
    return await _change(req, operations.remove, req.path("name"), "user-gone")


async def _change(
    req: PageRequest, operation: Callable[[sqlite3.Connection, Context, R], object], request: R, said: str
) -> Response:
    try:
        await req.perform(operation, request)
    except Refused as refused:
        if refused.code == "no-such-user":
            raise NotFound from None  # the address names nobody
        raise
    return req.go("/users", said)


async def _hashed(req: PageRequest, name: str) -> str:
    return await req.state.hashing(lambda: hashed(req.form.get("password", ""), name=name))


def users_shown(db: sqlite3.Connection, ours: tuple[str, ...]) -> UsersShown:
    """What the page shows. `ours`: the extensions that the settings name."""
    users = []
    for user in all_users(db):
        sessions = sessions_of(db, user.name)
        users.append(UserShown(user, len(sessions), sessions[0].seen_at if sessions else None))
    extensions = {*ours, *(one.extension for one in all_people(db))}
    return UsersShown(tuple(users), tuple(sorted(extensions)))


PAGES = (
    Page("GET", "/users", show, Role.ADMINISTRATOR),
    Page("POST", "/users/add", add, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/role", change_role, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/password", reset, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/second-factor", reset_second_factor, Role.ADMINISTRATOR),
    Page("POST", "/users/{name}/remove", remove, Role.ADMINISTRATOR),
)
