"""The one call file that the helper writes, and the only thing that it can make Asterisk do.

Written beside Asterisk's `outgoing` folder and renamed into it, so that Asterisk never reads half of one. Its values
are of fixed alphabets (limits.parse_line, settings.HelperSettings): none has a line end.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from agi.speech import language_of
from callsieve.call_back.limits import CallRequest
from callsieve.call_back.settings import HelperSettings
from reputation.numbers import country_of

OUTGOING, BESIDE = "outgoing", "callsieve-call-back"
MODE = 0o600
TEMPLATE = """\
Channel: {channel}
CallerID: {caller_id}
MaxRetries: 0
WaitTime: {ring_seconds}
Context: callsieve-call-back
Extension: s
Priority: 1
Setvar: CALLSIEVE_CALLER={number}
Setvar: CALLSIEVE_TICKET={ticket}
Setvar: CALLSIEVE_LANG={language}
Setvar: CALLSIEVE_SECONDS={seconds}
"""


def call_file_text(request: CallRequest, settings: HelperSettings) -> str:
    """What Asterisk reads."""
    channel = settings.channel.replace("{number}", request.number).replace("{digits}", request.number[1:])
    return TEMPLATE.format(
        channel=channel,
        caller_id=f"<{settings.caller_id}>" if settings.caller_id else "",
        ring_seconds=settings.ring_seconds,
        number=request.number,
        ticket=request.ticket,
        language=language_of(country_of(request.number)),
        seconds=settings.seconds,
    )


def put_in_spool(text: str, spool: Path) -> None:
    """Writes the file whole or not at all. OSError."""
    beside = spool / BESIDE
    beside.mkdir(mode=0o700, exist_ok=True)
    path = beside / f"{secrets.token_hex(8)}.call"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path, spool / OUTGOING / path.name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
