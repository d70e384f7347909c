"""The second factor of the console's users: codes of six digits that change every 30 s (TOTP, RFC 6238).

The only module that imports pyotp. A code of the step before or after counts too, for clocks that are a little off.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass

from pyotp import TOTP, random_base32

from callsieve.web.tokens import hash_of, new_token

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
