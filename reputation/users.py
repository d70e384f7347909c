"""Types of console users and API tokens with their rights. The store (reputation/store/users.py) keeps them.

The secret of a token is `cs_` and 256 random bits. Scanners for leaked secrets know this prefix. Only the SHA-256 of a
secret is stored. Passwords need a slow hash, but so many random bits do not, because nobody can try them all.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from reputation.encoding import Instant

LONGEST_NAME = 64
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.@-]{{0,{LONGEST_NAME - 1}}}")


class Role(IntEnum):
    """The role of a user. Each role has all rights of the roles before it.

    VIEWER sees screens with masked numbers. OPERATOR sees whole numbers, marks numbers, corrects marks and decides
    appeals. ADMINISTRATOR also changes settings that affect everybody: policies, feeds, people.
    """

    VIEWER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3

    @property
    def word(self) -> str:
        """The name of the role in the store, on screens and on the command line."""
        return self.name.lower()


ROLE_BY_WORD = {role.word: role for role in Role}
RoleWord = Annotated[
    str, Meta(description="The role of the user or token.", extra_json_schema={"enum": [*ROLE_BY_WORD]})
]
UserName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, description="The name.", examples=["crm"])]


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """A user of the console.

    Attributes:
        name: The name of the user.
        role: The role of the user.
        extension: The person in whose name the user marks numbers, null for nobody.
        added_at: When the user was added.
        password_at: When the password was set.
        has_second_factor: Whether a code is needed after the password.
    """

    name: str
    role: Role
    extension: str | None
    added_at: Instant
    password_at: Instant
    has_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A console session. `token` is the SHA-256 of the cookie's token, in hexadecimal."""

    token: str
    user: str
    began_at: float
    seen_at: float
    address: str
    agent: str


def is_last_administrator(user: ConsoleUser, users: Iterable[ConsoleUser]) -> bool:
    """Return whether this user is the only administrator among `users`."""
    administrators = {known.name for known in users if known.role is Role.ADMINISTRATOR}
    return administrators == {user.name}


PREFIX = "cs_"
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)


class Scope(StrEnum):
    """A right of a token. No scope contains another: a token has exactly the scopes that it was given.

    READ reads data. DECIDE requests the decision about a call. MARKS marks numbers. EVENTS reads events. WRITE changes
    lists, identities, appeals and own numbers, and undoes changes. ADMIN changes settings that affect everybody:
    policies, feeds, people, screening off and on.
    """

    READ = "read"
    DECIDE = "decide"
    MARKS = "marks"
    EVENTS = "events"
    WRITE = "write"
    ADMIN = "admin"


# The least role with which a scope has any effect.
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
    """An API token, without its secret.

    Attributes:
        name: The name of the token.
        role: The role of the token.
        scopes: The rights of the token.
        added_at: When the token was added.
        expires_at: When the token expires, null for never.
        per_minute: How many requests the token may make in a minute; null: as many as the settings allow.
    """

    name: str
    role: Role
    scopes: tuple[Scope, ...]
    added_at: Instant
    expires_at: Instant | None = None
    per_minute: int | None = None


def new_secret() -> str:
    """Return a new secret for a token. Only the owner of the token sees the secret, and only once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(text: str) -> str | None:
    """Return the digest of a secret as it is stored; None if the text cannot be a secret."""
    return sha256(text.encode()).hexdigest() if _SECRET.fullmatch(text) else None
