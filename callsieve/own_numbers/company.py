"""What the guidance is filled with, from the store: the command and the console share it."""

from __future__ import annotations

import sqlite3

from callsieve.own_numbers.guidance import Company
from callsieve.settings import Settings
from reputation.own.figures import MONTH
from reputation.own.register import State
from reputation.store.do_not_call import count_do_not_call
from reputation.store.own_days import calling_numbers
from reputation.store.own_health import own_health
from reputation.store.own_register import register_of
from reputation.weights import DAY_SECONDS


def company_of(db: sqlite3.Connection, now: float, settings: Settings) -> Company:
    """The company's own figures. Up to half a second for each number that calls a lot."""
    numbers = calling_numbers(db, int(now // DAY_SECONDS) - MONTH)
    register = {own.number: own for own in register_of(db) if own.state is not State.RETIRED}
    registered = [register[number] for number in numbers if number in register]
    return Company(
        numbers=[own_health(db, number, now, settings.reputation) for number in numbers],
        registered=len(registered),
        due=sum(own.next_check_at is not None and own.next_check_at <= now for own in registered),
        do_not_call=count_do_not_call(db),
        first_hour=settings.outbound.first_hour,
        last_hour=settings.outbound.last_hour,
    )
