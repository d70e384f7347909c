"""Passwords and second factors of users. Only this module imports argon2 and pyotp.

Passwords are hashed by Argon2id, so that a stolen store resists guessing. The library's parameters are RFC 9106's
second recommendation: 64 MB and about 50 ms per check. As in NIST SP 800-63B, passwords need a minimum length, but no
kinds of characters.

The second factor is a six-digit code that changes every 30 s (TOTP, RFC 6238). The previous and next codes are accepted
too, for inexact clocks.
"""

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
LONGEST = 256  # hashing time does not depend on it, but input must be bounded

LENGTH = Wording(
    "a password must have {shortest} to {longest} characters: use several words",
    {"shortest": SHORTEST, "longest": LONGEST},
)

HASHER = PasswordHasher()


def hashed(password: str, *, name: str = "") -> str:
    """Return the hash to store. Raise Refused if the password is too short, too long, or the user's name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused("bad-password", LENGTH)
    if len(set(password)) < 5 or (name and password.lower().strip() in (name.lower(), name.lower() * 2)):
        raise Refused("bad-password", Wording("this password is too easy to guess: use several words"))
    return HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Return whether the password matches. For an unknown user (`stored` is None) return False after the same time."""
    try:
        return HASHER.verify(stored or _nobodys(HASHER), password[:LONGEST]) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Return whether the hash was made with parameters that are no longer current."""
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
    """Return 160 random bits in base32, as authenticator apps expect."""
    return random_base32()


def is_secret(text: str) -> bool:
    """Return whether the text has the format of a secret made by `new_secret`."""
    return _SECRET.fullmatch(text) is not None


def address_of(secret: str, name: str) -> str:
    """Return the otpauth:// URI of the secret, for an authenticator app."""
    return TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: float, after: int = -1) -> int | None:
    """Return the time step of a correct code; None for a wrong code, or a step not later than `after`."""
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
    """A login that still needs a code. `password`: the stored hash that matched. `fresh`: its replacement, or None."""

    name: str
    password: str
    fresh: str | None
    target: str
    form: str
    until: float


class HalfLogins:
    """Logins that still need a code, by the hash of a ticket. Only the page that asks for the code has the ticket."""

    def __init__(self) -> None:
        self._by_ticket: OrderedDict[str, HalfLogin] = OrderedDict()

    def keep(self, half: HalfLogin) -> str:
        """Store a login that still needs its code. Return the ticket that `take` needs."""
        ticket = new_token()
        self._by_ticket[hash_of(ticket)] = half
        while len(self._by_ticket) > MOST_KEPT:
            self._by_ticket.popitem(last=False)
        return ticket

    def take(self, ticket: str, form: str, now: float) -> HalfLogin | None:
        """Remove and return the login of a ticket. None: the ticket was used, has expired or is for another browser.

        `form`: the token in the browser's cookie for the login form.
        """
        half = self._by_ticket.pop(hash_of(ticket), None)
        return half if half is not None and now < half.until and half.form == form else None
