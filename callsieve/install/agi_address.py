"""Where the installed dialplan asks, read from its files, and whether that is where the daemon answers."""

from __future__ import annotations

import re
from pathlib import Path

from callsieve.install.plan import OUR_AGI, OUR_DIALPLAN, agi_of
from callsieve.pbx.config_files import read_text, walk
from callsieve.settings import FREEPBX_PORT, address_of

MAIN_FILE = "callsieve.conf"
# A global of the administrator's own goes before what our file says.
_GLOBAL = re.compile(r"CALLSIEVE_AGI\s*=>?\s*(\S+)")


def asked_in_files(etc: Path) -> str | None:
    """What our dialplan in `etc` asks, `agi://127.0.0.1:4578` or the classic script; None when it is not installed.

    OSError when this user may not read it.
    """
    ours = agi_of(read_text(etc / OUR_DIALPLAN / MAIN_FILE) or "")
    if ours is None:
        return None
    found = (_GLOBAL.match(line.text) for line in walk(etc, etc / "extensions.conf"))
    return next((match[1] for match in found if match), ours)


def is_answered_at(asked: str, listen: str) -> bool:
    """Whether a dialplan that asks `asked` reaches a daemon that listens on `listen`. The classic script does."""
    return asked == OUR_AGI or _address(asked) == address_of(listen)


def _address(url: str) -> tuple[str, int] | None:
    address = url.removeprefix("agi://").partition("/")[0]
    for text in (address, f"{address}:{FREEPBX_PORT}"):  # Asterisk asks port 4573 where none is named
        try:
            return address_of(text)
        except ValueError:
            continue
    return None
