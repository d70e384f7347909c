"""Whom the helper calls, and how often. Pure: instants are seconds of one clock that never goes back.

Only landlines and mobiles of the countries in the settings: what else a number may be (premium, shared cost, personal,
satellite, unallocated) costs more than a call, or has nobody behind it who owns it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from callsieve.call_back.answers import HelperAnswer
from callsieve.call_back.settings import HelperSettings
from reputation.appeals import TICKET_DIGITS
from reputation.numbers import PAY_PER_CALL, NumberType, country_of, number_of, number_type_of, time_zones_of
from reputation.own.hours import daily, is_open

KINDS = frozenset({NumberType.FIXED, NumberType.MOBILE, NumberType.FIXED_OR_MOBILE})
HOUR, DAY = 3600.0, 86_400.0
SETTING_UP = 10.0  # seconds that Asterisk may need to find a call file, and to end a call

_LINE = re.compile(rf"(\+[1-9][0-9]{{6,14}}) ([0-9]{{{TICKET_DIGITS}}})\n", re.ASCII)


class CallRequest(NamedTuple):
    """A number to call, and the ticket that the call shows the daemon."""

    number: str
    ticket: str


class PlacedCall(NamedTuple):
    """A call that was placed. `who`: stands for the number."""

    at: float
    who: str


def parse_line(line: bytes) -> CallRequest | None:
    """The request of exactly one line. None: it is none."""
    found = _LINE.fullmatch(line.decode("ascii", "replace"))
    return None if found is None else CallRequest(found[1], found[2])


def refusal_of(number: str, settings: HelperSettings) -> HelperAnswer | None:
    """Why this number is never called; None if it may be."""
    if number_of(number, "ZZ") != number or number_type_of(number) not in KINDS or PAY_PER_CALL.fullmatch(number):
        return HelperAnswer.KIND
    if country_of(number) not in settings.countries:
        return HelperAnswer.COUNTRY
    return HelperAnswer.REFUSED if number.startswith(settings.refused) else None


def is_by_day(number: str, settings: HelperSettings, at: float) -> bool:
    """Whether it is an hour to call everywhere that the number may be. `at`: in UTC seconds."""
    zones, hours = time_zones_of(number), daily(settings.first_hour, settings.last_hour)
    return bool(zones) and all(is_open(hours, zone, at) for zone in zones)


def limit_reached(placed: Sequence[PlacedCall], who: str, settings: HelperSettings, now: float) -> HelperAnswer | None:
    """Which limit a call now would exceed; None: none."""

    def since(seconds: float) -> list[PlacedCall]:
        return [one for one in placed if now - one.at < seconds]

    today = since(DAY)
    ours = [one for one in today if one.who == who]
    reached = (
        (len(today) >= settings.a_day, HelperAnswer.DAY),
        (len(ours) >= settings.a_number_a_day, HelperAnswer.NUMBER_TODAY),
        (any(now - one.at < settings.a_number_minutes * 60 for one in ours), HelperAnswer.NUMBER_LATELY),
        (len(since(HOUR)) >= settings.an_hour, HelperAnswer.HOUR),
        (len(since(longest_call(settings))) >= settings.at_once, HelperAnswer.BUSY),
    )
    return next((answer for is_reached, answer in reached if is_reached), None)


def longest_call(settings: HelperSettings) -> float:
    """How long a call may take from its file to its end, in seconds: so long it counts as going on."""
    return settings.ring_seconds + settings.seconds + SETTING_UP
