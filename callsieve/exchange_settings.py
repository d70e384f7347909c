"""`[publish]` and `[[exchange]]` of the settings: what other companies are told, and whose bundles are taken."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from callsieve.integration_settings import Megabytes, url_problem
from callsieve.setting_types import Name, SettingsTable, Span

KEY_BYTES = 32
MOST_LINE = 200
_NUMBERS = re.compile(r"\+[1-9][0-9]{0,14}\*?")
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

Problems = Iterator[tuple[str, str]]  # a key, and what is wrong with it


class Publish(SettingsTable, frozen=True):
    """What is published. `directory`: where, empty: nothing; `name`: as whom, empty: that of [public].

    `never`: numbers, and beginnings of numbers, that never leave; `cleared`: also that we cleared a number.
    """

    directory: str = ""
    name: str = ""
    never: tuple[str, ...] = ()
    cleared: bool = True


class ExchangeTable(SettingsTable, frozen=True):
    """A company that publishes: at a `url`, or in a `path` of this machine. `key`: that it signs with.

    `weight`: what its word weighs of a tag; `megabytes`: a larger file is refused. `private`: in our own network.
    """

    name: Name
    url: str = ""
    path: str = ""
    key: str = ""
    weight: Share = 1.0
    every: Span = "6h"
    megabytes: Megabytes = 100
    private: bool = False


def publish_problems(publish: Publish) -> Problems:
    """A key, and what is wrong with it."""
    if len(publish.name) > MOST_LINE or not publish.name.isprintable():
        yield "publish.name", f"is one line of at most {MOST_LINE} characters"
    for text in publish.never:
        if not _NUMBERS.fullmatch(text):
            yield "publish.never", f"{text[:40]!r} is no beginning of a number: write it as +4420 or +442071838750"


def exchange_problems(exchange: tuple[ExchangeTable, ...]) -> Problems:
    """The same. Repeated names: callsieve.settings."""
    keys: dict[str, str] = {}
    for place, one in enumerate(exchange):
        key = f"exchange[{place}]"
        if bool(one.url) == bool(one.path):
            yield f"{key}.url", "needs either url or path: where the company publishes"
        elif one.url and (wrong := url_problem(one.url, private=one.private)) is not None:
            yield f"{key}.url", wrong
        if one.key and not _is_key(one.key):
            yield f"{key}.key", "takes the public key: 44 characters, as `callsieve signing key` prints it there"
        elif one.key in keys:
            yield f"{key}.key", f"is that of {keys[one.key]!r}: one company is one voice"
        if one.key:
            keys[one.key] = one.name


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
