"""The settings `[publish]` (evidence for other companies) and `[[exchange]]` (companies with evidence to use here)."""

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
    """The settings for publishing this company's evidence to others.

    `directory`: where to write the evidence; empty: publish nothing. `name`: the publisher's name; empty: the name in
    `[public]`. `never`: numbers and prefixes to leave out. `cleared`: whether to publish also numbers that turned out
    not to be spam.
    """

    directory: str = ""
    name: str = ""
    never: tuple[str, ...] = ()
    cleared: bool = True


class ExchangeTable(SettingsTable, frozen=True):
    """A company that publishes its evidence, at a `url` or in a local `path`. `key`: the company's public key.

    `weight`: how much the evidence counts, 0 to 1; with 1 it is enough for a tag on its own. `megabytes`: the largest
    file to accept. `private`: whether the company's server is in your own network.
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
    """Yield each invalid key of `[publish]` with an error message."""
    if len(publish.name) > MOST_LINE or not publish.name.isprintable():
        yield "publish.name", f"must be one line of at most {MOST_LINE} characters"
    for text in publish.never:
        if not _NUMBERS.fullmatch(text):
            yield "publish.never", f"{text[:40]!r} is not a number or prefix: write it like +442071838750 or +4420"


def exchange_problems(exchange: tuple[ExchangeTable, ...]) -> Problems:
    """Yield each invalid key of `[[exchange]]` with an error message. callsieve.settings reports repeated names."""
    keys: dict[str, str] = {}
    for place, table in enumerate(exchange):
        key = f"exchange[{place}]"
        if bool(table.url) == bool(table.path):
            yield f"{key}.url", "either `url` or `path` is required: where the company publishes its evidence"
        elif table.url and (wrong := url_problem(table.url, private=table.private)) is not None:
            yield f"{key}.url", wrong
        if table.key and not _is_key(table.key):
            yield f"{key}.key", "must be the company's public key: 44 characters, from their `callsieve signing key`"
        elif table.key in keys:
            yield f"{key}.key", f"is already the key of {keys[table.key]!r}: list each company only once"
        if table.key:
            keys[table.key] = table.name


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
