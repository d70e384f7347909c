"""Who may use the console, and what for. Types only; reputation/store/users.py keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from msgspec import Meta

from reputation.encoding import Instant

LONGEST_NAME = 64
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.@-]{{0,{LONGEST_NAME - 1}}}")


class Role(IntEnum):
    """What somebody may do, least first; each may do what those before it may.

    VIEWER looks, and sees numbers masked. OPERATOR sees them whole, marks, corrects and decides. ADMINISTRATOR also
    changes what is in force for everybody: policies, feeds, people.
    """

    VIEWER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3

    @property
    def word(self) -> str:
        """The word used in the store, on screens and on the command line."""
        return self.name.lower()


ROLE_BY_WORD = {role.word: role for role in Role}
RoleWord = Annotated[
    str, Meta(description="What the user or token may do.", extra_json_schema={"enum": [*ROLE_BY_WORD]})
]
UserName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, description="The name.", examples=["crm"])]


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """Somebody who may log in.

    Attributes:
        extension: The person in whose name the user marks numbers, null for nobody.
        password_at: When the password was set.
        has_second_factor: Whether a code is asked for after the password.
    """

    name: str
    role: Role
    extension: str | None
    added_at: Instant
    password_at: Instant
    has_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in. `token` is the SHA-256 of the cookie's, in hexadecimal."""

    token: str
    user: str
    began_at: float
    seen_at: float
    address: str
    agent: str


def is_last_administrator(user: ConsoleUser, users: Iterable[ConsoleUser]) -> bool:
    """Whether nobody would be an administrator any more without this one."""
    administrators = {one.name for one in users if one.role is Role.ADMINISTRATOR}
    return administrators == {user.name}
