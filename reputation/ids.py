"""Short ids that people read to each other: of decisions and of appeals."""

from __future__ import annotations

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing that is misread aloud

_ID = re.compile(f"[{ALPHABET}]{{8}}")
_MISREAD = str.maketrans("OIL", "011")  # how the alphabet is read when people write it down


def new_id() -> str:
    """Eight characters, 40 random bits."""
    bits = secrets.randbits(40)
    return "".join(ALPHABET[(bits >> shift) & 31] for shift in range(35, -1, -5))


def parse_id(text: str) -> str | None:
    """The id as it was made, from how somebody typed it. None: it cannot be one."""
    wanted = text.strip().upper().translate(_MISREAD)
    return wanted if _ID.fullmatch(wanted) else None
