"""Short ids that people read to each other: of decisions and of appeals."""

from __future__ import annotations

import os
import re
from itertools import product

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
