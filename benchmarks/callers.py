"""Make telephone numbers, of which a store knows the first ones, and what Asterisk asks about their calls."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from reputation.store.imports import ImportedRow

SEED = 20260101
DID = "+442071838750"
CATEGORIES = ("scam", "telemarketing", "robocall", None)

# Every US number once, in an order that looks like chance: the factor is prime.
_NUMBERS = 8_000_000_000
_FACTOR = 5_915_587_277

# What Asterisk 22.10.1 sends for the AGI() of asterisk-conf/callsieve.conf, on a trunk without STIR/SHAKEN.
_BLOCK = """\
agi_network: yes
agi_network_script: screen
agi_request: agi://127.0.0.1:4578/screen
agi_channel: PJSIP/carrier-{channel:08x}
agi_language: en
agi_type: PJSIP
agi_uniqueid: {uniqueid}
agi_version: 22.10.1~dfsg+~cs6.16.60671434-1
agi_callerid: {caller}
agi_calleridname: unknown
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: {did}
agi_rdnis: unknown
agi_context: callsieve
agi_extension: s
agi_priority: 6
agi_enhanced: 0.0
agi_accountcode: 
agi_threadid: 140123456789{channel:03d}
agi_arg_1: trunk=PJSIP/carrier-{channel:08x}
agi_arg_2: verification=
agi_arg_3: attestation=
agi_arg_4: linkedid={uniqueid}
agi_arg_5: pres=allowed_not_screened
agi_arg_6: priority=
agi_arg_7: emergency=
agi_arg_8: did={did}

"""


def number_at(index: int) -> str:
    """Return the number with this index."""
    return f"+1{2_000_000_000 + index * _FACTOR % _NUMBERS}"


def imported_rows(count: int) -> Iterator[ImportedRow]:
    """Yield the first `count` numbers as lines of a file with the columns `number,category`."""
    for index in range(count):
        yield number_at(index), CATEGORIES[index % len(CATEGORIES)], None, None


def callers(count: int, known: int, turn: int = 0) -> list[str]:
    """Return callers. A store with the first `known` numbers knows every second one. Each turn has other callers."""
    chance = random.Random(SEED + turn)
    return [number_at(chance.randrange(known) if n % 2 else chance.randrange(known, _NUMBERS)) for n in range(count)]


def questions(count: int, known: int, turn: int = 0) -> list[bytes]:
    """Return the header blocks of calls by these callers."""
    return header_blocks(callers(count, known, turn))


def header_blocks(numbers: list[str]) -> list[bytes]:
    """Return what Asterisk asks about a call from each number."""
    second = int(time.time())
    return [
        _BLOCK.format(caller=number, did=DID, channel=n, uniqueid=f"{second}.{n}").encode()
        for n, number in enumerate(numbers)
    ]
