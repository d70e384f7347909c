"""What may go wrong with a request to somebody else's server, or with a secret for it: by code and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from string import Formatter
from typing import NamedTuple

from reputation.wording import Places, Wording, one_line

TEXT_CHARACTERS = 100


class OutsideProblem(StrEnum):
    """Why there is no answer that can be used. No text has more of an address than its host: the rest may be secret."""

    BAD_URL = "{host}: no address that can be asked: write it as https://name/path"
    PASSWORD_IN_URL = "{host}: a user name or password does not belong in the address: use a header with a secret"
    PLAIN_HTTP = "{host}: plain http is refused, everybody on the way could read and change it: use https"
    UNKNOWN_NAME = "{host}: no address is known of this name"
    FORBIDDEN_ADDRESS = "{host}: its address {address} is not on the internet: it was not connected to"
    NO_CONNECTION = "{host}: no connection could be made ({error})"
    TIMEOUT = "{host}: no complete answer within {seconds:g} seconds"
    TLS = "{host}: its certificate or encryption is not to be trusted ({error})"
    BAD_ANSWER = "{host}: the answer is no valid HTTP, or ends early ({error})"
    TOO_LARGE = "{host}: the answer is larger than {most:,} bytes"
    TOO_MANY_REDIRECTS = "{host}: more than {most} redirects"
    BAD_REDIRECT = "{host}: redirects to no address that can be asked"
    SECRET_IN_SETTINGS = (
        "a secret does not stand in the settings: write env:NAME, or file:/path of a file that only we can read"
    )
    NO_SECRET = "there is no secret in {where}"
    SECRET_READABLE = "{where}: others can read or change it: chown it to {user} and chmod it 0600, or 0640"
    SECRET_UNREADABLE = "{where}: it cannot be read ({error})"

    @property
    def code(self) -> str:
        """For programs and tests: `forbidden-address`."""
        return self._name_.lower().replace("_", "-")


class OutsideError(Exception):
    """There is no answer that can be used. `words` say why and what to do; `code` says it to programs."""

    def __init__(self, problem: OutsideProblem, **about: str | int | float) -> None:
        self.words = Wording(problem.value, about)
        self.code = problem.code
        super().__init__(str(self.words))


class KeptFailure(NamedTuple):
    """Why something was not taken.

    Attributes:
        code: The reason as a code; empty where the store has words that cannot be read.
        words: The reason in words.
    """

    code: str
    words: str | Wording


def keep_failure(code: str, about: Places, templates: Mapping[str, str]) -> str:
    """Return a failure for the store: `{"code": "not-utf-8", "file": "ftc.csv", "line": 11}`. Templates are by code."""
    kept = {name: shortened(about[name]) for _, name, *_ in Formatter().parse(templates[code]) if name}
    return json.dumps({"code": code} | kept, ensure_ascii=False)


def read_kept_failure(kept: str, templates: Mapping[str, str]) -> KeptFailure:
    """Return what `keep_failure` kept."""
    try:
        about = json.loads(kept)
        code = about.pop("code")
        words = Wording(templates[code], about)
        str(words)  # has all that it needs
        return KeptFailure(code, words)
    except (ValueError, KeyError, TypeError, AttributeError):
        return KeptFailure("", kept)


def shortened(value: object) -> str | int | float:
    """Return a number as it is, and a text on one line that is not long."""
    return value if isinstance(value, int | float) else one_line(str(value), TEXT_CHARACTERS)
