"""The health check of registers: copies of national do-not-call registers are new enough."""

from __future__ import annotations

import sqlite3

from callsieve.call_lists.registers import copy_ages
from callsieve.doctor.finding import NONE, Finding, HealthCheck, and_more, check_of_store, ok, warn
from reputation.wording import Places, Wording


@check_of_store
def has_fresh_registers(db: sqlite3.Connection, now: float) -> Finding:
    """Copies of national do-not-call registers are as new as the law wants them."""
    ages = copy_ages(db, now)
    old = [one for one in ages if one.is_too_old]
    if old:
        first = old[0]
        most = first.law.max_days if first.law else 0
        about: Places = {"name": first.copy.name, "days": first.age_days, "law": first.cite, "most": most}
        words = Wording("the copy of {name} is {days} days old, and {law} allows {most}", about)
        return warn(and_more(words, len(old) - 1), f"callsieve own registers import FILE --register {first.copy.name}")
    numbers = sum(one.copy.numbers for one in ages)
    return ok(Wording("{count}, with {numbers} numbers", {"count": len(ages), "numbers": numbers}) if ages else NONE)


CHECKS = (HealthCheck(place=440, name="call registers", find=has_fresh_registers),)
