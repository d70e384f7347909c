"""Passwords and second factors of the console's users. The only module that imports argon2 and pyotp.

Argon2id with the library's own figures, which are those of RFC 9106's second recommendation: 64 MB and some 50 ms for
each look, so whoever steals the store cannot try many. NIST SP 800-63B: length counts, kinds of characters do not.

The second factor is a code of six digits that changes every 30 s (TOTP, RFC 6238). A code of the step before or after
counts too, for clocks that are a little off.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pyotp import TOTP, random_base32

from callsieve.changes.operation import Refused
from callsieve.web.tokens import hash_of, new_token
from reputation.wording import Wording

SHORTEST = 12
LONGEST = 256  # hashing time does not depend on it; a megabyte is no password

LENGTH = Wording(
    "a password has {shortest} to {longest} characters: some words in a row are a good one",
    {"shortest": SHORTEST, "longest": LONGEST},
)

HASHER = PasswordHasher()


def hashed(password: str, *, name: str = "") -> str:
    """What is stored. Refused for one that is too short, too long, or the user's own name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused("bad-password", LENGTH)
    if len(set(password)) < 5 or (name and password.lower().strip() in (name.lower(), name.lower() * 2)):
        raise Refused("bad-password", Wording("this password would be guessed at once: take some words in a row"))
    return HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is this one. For a user whom nobody knows (None) it takes as long, and is not."""
    try:
        return HASHER.verify(stored or _nobodys(HASHER), password[:LONGEST]) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with figures that are no longer customary."""
    return HASHER.check_needs_rehash(stored)


@lru_cache(maxsize=1)
def _nobodys(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody has this password")


STEP_SECONDS = 30
WINDOW_STEPS = 1
ISSUER = "CallSieve"
_SECRET = re.compile(r"[A-Z2-7]{32}", re.ASCII)
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def new_secret() -> str:
    """160 random bits, in base32, as authenticator apps take them."""
    return random_base32()


def is_secret(text: str) -> bool:
    """Whether it can be one of ours."""
    return _SECRET.fullmatch(text) is not None


def address_of(secret: str, name: str) -> str:
    """The otpauth:// address that puts it into an app."""
    return TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: float, after: int = -1) -> int | None:
    """The time step of a right code; None for a wrong one, and for one that is not of a step later than `after`."""
    typed = re.sub(r"\s", "", code)
    if not _CODE.fullmatch(typed):
        return None
    present = int(now // STEP_SECONDS)
    for step in range(present - WINDOW_STEPS, present + WINDOW_STEPS + 1):
        if step > after and hmac.compare_digest(TOTP(secret).generate_otp(step), typed):
            return step
    return None


LASTS_SECONDS = 300.0
MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class HalfLogin:
    """`password` is the hash that was right, `fresh` what replaces it; `form` the token of that browser's forms."""

    name: str
    password: str
    fresh: str | None
    target: str
    form: str
    until: float


class HalfLogins:
    """By the hash of a ticket that only the page which asks for the code has."""

    def __init__(self) -> None:
        self._by_ticket: OrderedDict[str, HalfLogin] = OrderedDict()

    def keep(self, half: HalfLogin) -> str:
        """The ticket that takes it out again."""
        ticket = new_token()
        self._by_ticket[hash_of(ticket)] = half
        while len(self._by_ticket) > MOST_KEPT:
            self._by_ticket.popitem(last=False)
        return ticket

    def take(self, ticket: str, form: str, now: float) -> HalfLogin | None:
        """What the ticket is for, once; None when it was used, is too old, or comes from another browser."""
        half = self._by_ticket.pop(hash_of(ticket), None)
        return half if half is not None and now < half.until and half.form == form else None
