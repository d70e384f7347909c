"""The tokens that programs ask the API with: what one may do, and what it looks like. reputation/store/api_tokens.py
keeps them.

A secret is `cs_` and 256 random bits; scanners for secrets that got into a repository find it by its beginning. What is
kept is its SHA-256. That is enough: nobody can try all of them, so there is nothing that a slow hash as for passwords
would slow down but ourselves, who look at one with every request.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from reputation.encoding import Instant
from reputation.users import Role

PREFIX = "cs_"
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)


class Scope(StrEnum):
    """What a token is for. None contains another: a token has those that it was given, and no more.

    READ looks. DECIDE asks for the decision about a call. MARKS says what people say of numbers. EVENTS reads along
    what happens. WRITE changes lists, identities, appeals, own numbers, and undoes changes. ADMIN changes what is in
    force for everybody: policies, feeds, people, screening off and on.
    """

    READ = "read"
    DECIDE = "decide"
    MARKS = "marks"
    EVENTS = "events"
    WRITE = "write"
    ADMIN = "admin"


# A scope is of no use to a token whose role may do nothing with it.
LEAST_ROLE = {
    Scope.READ: Role.VIEWER,
    Scope.DECIDE: Role.VIEWER,
    Scope.MARKS: Role.OPERATOR,
    Scope.EVENTS: Role.OPERATOR,
    Scope.WRITE: Role.OPERATOR,
    Scope.ADMIN: Role.ADMINISTRATOR,
}


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token by its name.

    Attributes:
        scopes: What it is for.
        expires_at: When it ends, null for never.
        per_minute: How many requests it may make in a minute; null: as many as the settings allow.
    """

    name: str
    role: Role
    scopes: tuple[Scope, ...]
    added_at: Instant
    expires_at: Instant | None = None
    per_minute: int | None = None


def new_secret() -> str:
    """What the owner of a token gets, once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(text: str) -> str | None:
    """What is kept of a secret; None for what cannot be one."""
    return sha256(text.encode()).hexdigest() if _SECRET.fullmatch(text) else None
