"""Tables of the settings about others that we talk to, with what a type cannot say about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from callsieve.setting_types import Name, RequestRate, Secret, SettingsTable, Span

# reputation/events.py says what each is.
EventWord = Literal[
    "decision.taken",
    "call.ended",
    "number.marked",
    "number.level-changed",
    "appeal.opened",
    "appeal.due",
    "appeal.decided",
    "own-number.grade-changed",
    "feed.stale",
    "daemon.trouble",
    "emergency.opened",
    "emergency.closed",
    "digest.ready",
]


class Api(SettingsTable, frozen=True):
    """The API, on the console's address; `listen`: also on one of its own. `[web]` says which proxies are in front.

    `per_minute`: requests of one token, unless it has a figure of its own.
    """

    enabled: bool = False
    listen: str = ""
    per_minute: RequestRate = 600


class WebhookTable(SettingsTable, frozen=True):
    """A server that events are posted to, signed with the secret. `events`: which kinds; empty: all.

    `mask`: numbers are masked. `private`: it is in our own network, and plain http is allowed.
    """

    name: Name
    url: str
    secret: Secret
    events: tuple[EventWord, ...] = ()
    mask: bool = False
    private: bool = False


Megabytes = Annotated[int, msgspec.Meta(ge=1, le=2000)]
SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
MINISIGN_KEY = re.compile(r"RW[A-Za-z0-9+/]{54}")


class FeedTable(SettingsTable, frozen=True):
    """A list of numbers that is fetched again and again, as `import feed` reads it.

    `sha256`: what the file must have, or an address where that is said; `minisign`: the public key that must have
    signed it. `megabytes`: a larger file is refused. `private`: its server is in our own network.
    """

    name: Name
    url: str
    every: Span = "1d"
    verdict: Literal["spam", "ok"] = "spam"
    region: str | None = None
    sha256: str = ""
    minisign: str = ""
    megabytes: Megabytes = 100
    private: bool = False


def feed_problems(feeds: tuple[FeedTable, ...]) -> Iterator[tuple[str, str]]:
    """A key, and what is wrong with it. Regions and repeated names: callsieve.settings."""
    for place, one in enumerate(feeds):
        key = f"feed[{place}]"
        if (wrong := url_problem(one.url, private=one.private)) is not None:
            yield f"{key}.url", wrong
        if one.sha256 and not SHA256.fullmatch(one.sha256) and url_problem(one.sha256, private=one.private):
            yield f"{key}.sha256", "takes 64 hexadecimal digits, or an address: https://example.com/list.csv.sha256"
        if one.minisign and not MINISIGN_KEY.fullmatch(one.minisign):
            yield f"{key}.minisign", "takes the public key: the line of a minisign.pub that begins with RW"


def webhook_problems(webhooks: tuple[WebhookTable, ...]) -> Iterator[tuple[str, str]]:
    """A key, and what is wrong with it."""
    for place, one in enumerate(webhooks):
        if (wrong := url_problem(one.url, private=one.private)) is not None:
            yield f"webhook[{place}].url", wrong
        if not one.secret:
            yield f"webhook[{place}].secret", "required: write env:NAME, or file:/path of a file with mode 0600"


def url_problem(url: str, *, private: bool) -> str | None:
    """Why this is no address to send personal data to; None if it is one. The address is not repeated: it may hold
    what others must not read.
    """
    try:
        found = urlsplit(url)
        host = found.hostname
        found.port  # noqa: B018  ValueError: it is none
    except ValueError:
        host = None
    if not host or found.scheme not in ("http", "https") or not url.isascii() or not url.isprintable() or " " in url:
        return "is no address: write it as https://example.com/path"
    if found.username is not None or found.password is not None:
        return "a user name or password does not stand in the address"
    if found.scheme == "http" and not private:
        return "plain http can be read and changed on the way: write https, or private = true inside your network"
    return None
