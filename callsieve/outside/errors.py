"""Errors of requests to other servers and of reading secrets. Each error has a code and a text."""

import json
from collections.abc import Mapping
from enum import StrEnum
from string import Formatter
from typing import NamedTuple

from reputation.wording import Places, Wording, one_line

TEXT_CHARACTERS = 100


class OutsideProblem(StrEnum):
    """Reasons why a request failed or a secret is unreadable. Texts name only a URL's host: the rest may be secret."""

    BAD_URL = "{host}: not a usable address: write it as https://name/path"
    PASSWORD_IN_URL = "{host}: the address contains a user name or password: use a header with a secret"
    PLAIN_HTTP = "{host}: http is refused because it can be read and changed on the way: use https"
    UNKNOWN_NAME = "{host}: unknown host name"
    FORBIDDEN_ADDRESS = "{host}: not connected, because its address {address} is not on the internet"
    NO_CONNECTION = "{host}: connection failed ({error})"
    TIMEOUT = "{host}: no complete answer within {seconds:g} seconds"
    TLS = "{host}: its certificate or encryption cannot be trusted ({error})"
    BAD_ANSWER = "{host}: the answer is not valid HTTP, or incomplete ({error})"
    TOO_LARGE = "{host}: the answer is larger than {most:,} bytes"
    TOO_MANY_REDIRECTS = "{host}: more than {most} redirects"
    BAD_REDIRECT = "{host}: redirects to an unusable address"
    SECRET_IN_SETTINGS = (
        "the settings must not contain a secret: write env:NAME, or file:/path of a file that only CallSieve can read"
    )
    NO_SECRET = "no secret in {where}"
    SECRET_READABLE = "{where}: others can read or change it: run chown {user} and chmod 0600 (or 0640)"
    SECRET_UNREADABLE = "{where}: cannot be read ({error})"

    @property
    def code(self) -> str:
        """The reason as a code for programs, such as `forbidden-address`."""
        return self._name_.lower().replace("_", "-")


class OutsideError(Exception):
    """A failed request, or an unreadable secret. `words`: the reason and what to do; `code`: the reason as a code."""

    def __init__(self, problem: OutsideProblem, **about: str | int | float) -> None:
        self.words = Wording(problem.value, about)
        self.code = problem.code
        super().__init__(str(self.words))


class KeptFailure(NamedTuple):
    """A failure that was read from the store.

    Attributes:
        code: The reason as a code; empty if the stored text is unreadable.
        words: The reason as a sentence, or the unreadable text itself.
    """

    code: str
    words: str | Wording


def keep_failure(code: str, about: Places, templates: Mapping[str, str]) -> str:
    """Return a failure as JSON for the store, such as `{"code": "not-utf-8", "file": "ftc.csv", "line": 11}`."""
    kept = {name: shortened(about[name]) for _, name, *_ in Formatter().parse(templates[code]) if name}
    return json.dumps({"code": code} | kept, ensure_ascii=False)


def read_kept_failure(kept: str, templates: Mapping[str, str]) -> KeptFailure:
    """Parse the JSON that `keep_failure` made. `templates`: the text of each code, with placeholders."""
    try:
        about = json.loads(kept)
        code = about.pop("code")
        words = Wording(templates[code], about)
        str(words)  # raises if a value is missing
        return KeptFailure(code, words)
    except (ValueError, KeyError, TypeError, AttributeError):
        return KeptFailure("", kept)


def shortened(value: object) -> str | int | float:
    """Return an int or float unchanged, and any other value as one short line of text."""
    return value if isinstance(value, int | float) else one_line(str(value), TEXT_CHARACTERS)
