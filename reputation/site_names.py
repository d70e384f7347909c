"""Names of people, calls and cases that may include a site. Only this module builds and parses these names.

    of_site("berlin", "201") == "berlin:201"           in rows of another site, its name is before the first colon
    own_name("sip:a@b") == ":sip:a@b"                   a local name that would look like another site's
    site_of("berlin:201") == "berlin"; site_of("201") == site_of("PJSIP/201") == site_of(":sip:a@b") == ""

So no local name equals a name of another site, whatever text a caller or switch has chosen. A name from Asterisk, a
file or another switch must be changed by `own_name` before it is stored. The module also makes short ids of decisions.
"""

import os
import re
from itertools import product

OURS = ""
MARK = ":"
SITE = re.compile(r"[a-z0-9-]{1,32}")


def site_of(name: str) -> str:
    """Return the site in the name of a person, DID, queue, call or case; OURS (an empty text) for this site."""
    if MARK not in name:
        return OURS
    site = name.partition(MARK)[0]
    return site if SITE.fullmatch(site) else OURS


def of_site(site: str, name: str) -> str:
    """Return the name with the site in front; empty for an empty name. Raise ValueError if the site is invalid."""
    if not SITE.fullmatch(site):
        raise ValueError(f"invalid site name {site[:40]!r}: use at most 32 lower-case letters, digits and -")
    return f"{site}{MARK}{name}" if name else name


def all_of(site: str) -> str:
    """Return the value of `reporter` with which a row deletes all marks of a site."""
    return f"{site}{MARK}"


def after_site(site: str) -> str:
    """Return a text that sorts after all names of a site and before the names of the next site."""
    return f"{site};"


def name_at_site(name: str) -> str:
    """Return the name as its own site writes it: `201` for `berlin:201`."""
    return name.partition(MARK)[2] if site_of(name) else name


def own_name(name: str) -> str:
    """Return the key of a local name. The key begins with a colon if the name looks like a name of another site."""
    return MARK + name if MARK in name and (name[0] == MARK or site_of(name)) else name


# SQL. Only names of columns may be given. Indices are made with the same texts (reputation/store/migrations). ---------


def is_ours(column: str) -> str:
    """Return an SQL condition that is true if the name in the column belongs to this site."""
    site = f"substr({column}, 1, instr({column}, '{MARK}') - 1)"
    return f"(length({site}) NOT BETWEEN 1 AND 32 OR {site} GLOB '*[^a-z0-9-]*')"


def has_mark(column: str) -> str:
    """Return an SQL condition that is true if the column names another site. Partial indices use exactly this text."""
    return f"instr({column}, '{MARK}') > 0"


def site_and_mark(column: str) -> str:
    """Return SQL for the part of a column up to the first colon, which is included."""
    return f"substr({column}, 1, instr({column}, '{MARK}'))"


def is_of_site(column: str) -> str:
    """Return an SQL condition that is true if the name in the column belongs to the site in the parameter `:site`."""
    return f"{column} > :site || '{MARK}' AND {column} < :site || ';'"


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no letters that are confused when read aloud

_PAIRS = tuple(map("".join, product(ALPHABET, repeat=2)))  # an id is made for each call
_ID = re.compile(f"[{ALPHABET}]{{8}}")
_MISREAD = str.maketrans("OIL", "011")  # how the alphabet is read when people write it down


def new_id() -> str:
    """Return a new random id of eight characters (40 bits), for a decision or an appeal."""
    bits = int.from_bytes(os.urandom(5))
    return _PAIRS[bits >> 30] + _PAIRS[bits >> 20 & 1023] + _PAIRS[bits >> 10 & 1023] + _PAIRS[bits & 1023]


def parse_id(text: str) -> str | None:
    """Return the canonical form of an id that somebody typed; None if it is invalid."""
    wanted = text.strip().upper().translate(_MISREAD)
    return wanted if _ID.fullmatch(wanted) else None
