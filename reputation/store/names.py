"""The name to show beside a phone number in lists of calls: of a contact, a verified business, or an own number."""

import json
import sqlite3
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

# The first that names a number wins. A contact of the company (person '') comes before one of a single person.
NAMES = """
SELECT number, name, 'contact', person FROM contact
 WHERE number IN (SELECT value FROM json_each(:numbers)) AND name IS NOT NULL AND name <> ''
   AND (:person IS NULL OR person IN ('', :person))
 UNION ALL
SELECT number, name, 'identity', '' FROM identity
 WHERE number IN (SELECT value FROM json_each(:numbers)) AND expires_at > :now
 UNION ALL
SELECT number, name, 'own', '' FROM own_register WHERE number IN (SELECT value FROM json_each(:numbers))
 ORDER BY 3, 4
"""


class NameSource(StrEnum):
    """The kind of entry that the name of a number comes from."""

    CONTACT = "contact"
    IDENTITY = "identity"
    OWN = "own"


class NumberName(NamedTuple):
    """The name of a number. `person`: the person whose contact it is; empty if everybody may see the name."""

    name: str
    source: NameSource
    person: str


def names_of_numbers(
    db: sqlite3.Connection, numbers: Collection[str], now: float, person: str | None = None
) -> dict[str, NumberName]:
    """Return the name of each number that has one. `person`: leave out contacts of other people; None: include them."""
    names: dict[str, NumberName] = {}
    asked = {"numbers": json.dumps(list(numbers)), "now": now, "person": person}
    for number, name, source, owner in db.execute(NAMES, asked):
        names.setdefault(number, NumberName(name, NameSource(source), owner))
    return names
