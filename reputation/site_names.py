"""Keys of calls, people and cases: the one place that makes and reads those that name a site.

    of_site("berlin", "201") == "berlin:201"           in rows of another site the site stands before the first colon
    own_name("sip:a@b") == ":sip:a@b"                   a name of ours that would look like one of another site's
    site_of("berlin:201") == "berlin"; site_of("201") == site_of("PJSIP/201") == site_of(":sip:a@b") == ""

So every name of ours, whatever a caller or another switch put into it, has one key, and no two have the same. A name
that comes from Asterisk, a file or another switch becomes a key in `own_name`, before anything is stored under it.

Here are the short ids, too, that people read to each other: of decisions and of appeals.
"""

from __future__ import annotations

import os
import re
from itertools import product

OURS = ""
MARK = ":"
SITE = re.compile(r"[a-z0-9-]{1,32}")


def site_of(name: str) -> str:
    """The site that a person, DID, queue, call or case of a row belongs to; OURS: this one."""
    if MARK not in name:
        return OURS
    site = name.partition(MARK)[0]
    return site if SITE.fullmatch(site) else OURS


def of_site(site: str, name: str) -> str:
    """The name as rows of another site have it; what has no name stays without one. ValueError: that is no site."""
    if not SITE.fullmatch(site):
        raise ValueError(f"{site[:40]!r} is no name of a site: lower-case letters, digits and -, at most 32")
    return f"{site}{MARK}{name}" if name else name


def all_of(site: str) -> str:
    """The reporter of a stone that covers everything that people of a site said."""
    return f"{site}{MARK}"


def after_site(site: str) -> str:
    """What sorts after all names of a site and before those of the next one."""
    return f"{site};"


def name_at_site(name: str) -> str:
    """The key as its own site has it: `201` of `berlin:201`."""
    return name.partition(MARK)[2] if site_of(name) else name


def own_name(name: str) -> str:
    """The key of a name of this site. One that would look like another site's, or like such a key, gets a colon."""
    return MARK + name if MARK in name and (name[0] == MARK or site_of(name)) else name


# SQL. Only names of columns may be given. Indices are made with the same texts (reputation/store/migrations). ---------


def is_ours(column: str) -> str:
    """The condition under which `site_of` a column is OURS."""
    site = f"substr({column}, 1, instr({column}, '{MARK}') - 1)"
    return f"(length({site}) NOT BETWEEN 1 AND 32 OR {site} GLOB '*[^a-z0-9-]*')"


def has_mark(column: str) -> str:
    """The condition of the partial indices in which all names of other sites are."""
    return f"instr({column}, '{MARK}') > 0"


def site_and_mark(column: str) -> str:
    """What stands up to the first colon: `all_of` the site of a column."""
    return f"substr({column}, 1, instr({column}, '{MARK}'))"


def is_of_site(column: str) -> str:
    """The condition under which a column names somebody of the site in the parameter `:site`."""
    return f"{column} > :site || '{MARK}' AND {column} < :site || ';'"


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing that is misread aloud

_PAIRS = tuple(map("".join, product(ALPHABET, repeat=2)))  # an id is made for each call
_ID = re.compile(f"[{ALPHABET}]{{8}}")
_MISREAD = str.maketrans("OIL", "011")  # how the alphabet is read when people write it down


def new_id() -> str:
    """Eight characters, 40 random bits."""
    bits = int.from_bytes(os.urandom(5))
    return _PAIRS[bits >> 30] + _PAIRS[bits >> 20 & 1023] + _PAIRS[bits >> 10 & 1023] + _PAIRS[bits & 1023]


def parse_id(text: str) -> str | None:
    """The id as it was made, from how somebody typed it. None: it cannot be one."""
    wanted = text.strip().upper().translate(_MISREAD)
    return wanted if _ID.fullmatch(wanted) else None
