"""Phone numbers of callers for benchmarks, and the AGI requests of their calls.

The store knows a part of the numbers.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from reputation.store.imports import ImportedRow

SEED = 20260101
DID = "+442071838750"
CATEGORIES = ("scam", "telemarketing", "robocall", None)

# Every US number once, in an order that looks random, because the factor is prime.
_NUMBERS = 8_000_000_000
_FACTOR = 5_915_587_277

# The request of Asterisk 22.10.1 for the AGI() of asterisk-conf/callsieve.conf, on a trunk without STIR/SHAKEN.
_HEADERS = {
    "network": "yes",
    "network_script": "screen",
    "request": "agi://127.0.0.1:4578/screen",
    "channel": "PJSIP/carrier-{channel:08x}",
    "language": "en",
    "type": "PJSIP",
    "uniqueid": "{uniqueid}",
    "version": "22.10.1~dfsg+~cs6.16.60671434-1",
    "callerid": "{caller}",
    "calleridname": "unknown",
    "callingpres": "0",
    "callingani2": "0",
    "callington": "0",
    "callingtns": "0",
    "dnid": "{did}",
    "rdnis": "unknown",
    "context": "callsieve",
    "extension": "s",
    "priority": "6",
    "enhanced": "0.0",
    "accountcode": "",
    "threadid": "140123456789{channel:03d}",
    "arg_1": "trunk=PJSIP/carrier-{channel:08x}",
    "arg_2": "verification=",
    "arg_3": "attestation=",
    "arg_4": "linkedid={uniqueid}",
    "arg_5": "pres=allowed_not_screened",
    "arg_6": "priority=",
    "arg_7": "emergency=",
    "arg_8": "did={did}",
}
_BLOCK = "".join(f"agi_{name}: {value}\n" for name, value in _HEADERS.items()) + "\n"


def number_at(index: int) -> str:
    return f"+1{2_000_000_000 + index * _FACTOR % _NUMBERS}"


def imported_rows(count: int) -> Iterator[ImportedRow]:
    """Yield the first `count` numbers as rows of a file with the columns `number,category`."""
    for index in range(count):
        yield number_at(index), CATEGORIES[index % len(CATEGORIES)], None, None


def callers(count: int, known: int, turn: int = 0) -> list[str]:
    """Return phone numbers of callers. A store with the first `known` numbers knows every second one of them.

    `turn`: the index of the round. Each round has other numbers.
    """
    chance = random.Random(SEED + turn)
    return [number_at(chance.randrange(known) if n % 2 else chance.randrange(known, _NUMBERS)) for n in range(count)]


def questions(count: int, known: int, turn: int = 0) -> list[bytes]:
    """Return the AGI header blocks of calls by the numbers that `callers` returns."""
    return header_blocks(callers(count, known, turn))


def header_blocks(numbers: list[str]) -> list[bytes]:
    second = int(time.time())
    return [
        _BLOCK.format(caller=number, did=DID, channel=n, uniqueid=f"{second}.{n}").encode()
        for n, number in enumerate(numbers)
    ]
