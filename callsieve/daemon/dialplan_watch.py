"""Watches where the installed dialplan sends its calls: after an upgrade that may be a port where nobody answers.

Nothing would look wrong then: the daemon runs, calls ring, and not one is screened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from callsieve.install.agi_address import asked_in_files, is_answered_at
from callsieve.settings import Loaded

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0


def trouble_with(loaded: Loaded) -> str:
    """Why calls do not reach this daemon, and the way out; empty when they do, or when the files cannot tell."""
    etc, listen = Path(loaded.settings.asterisk.etc), loaded.settings.agi.listen
    try:
        asked = asked_in_files(etc)
    except OSError:
        return ""  # the service need not be able to read Asterisk's files: `callsieve doctor` looks as root
    if asked is None or is_answered_at(asked, listen):
        return ""
    return (
        f"no call is screened: the dialplan in {etc} asks {asked}, and this daemon answers on {listen}: "
        'run `callsieve asterisk install`, then asterisk -rx "dialplan reload"'
    )


async def watch_dialplan(load: Callable[[], Loaded], tell: Callable[[str], None]) -> None:
    """Look every few seconds, and `tell` what is wrong, or that nothing is."""
    known = ""
    while True:
        found = await asyncio.to_thread(trouble_with, load())  # a disk that stalls holds up no call
        if found and found != known:
            logger.critical("%s", found)
        elif known and not found:
            logger.info("the dialplan asks this daemon again")
        known = found
        tell(found)
        await asyncio.sleep(EVERY_SECONDS)
