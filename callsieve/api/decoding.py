"""What was sent, as its endpoint declares it. Strict: an unknown field, a wrong type or a second value is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from callsieve.api.problem import UNPROCESSABLE, ApiError

_PLACE = re.compile(r"(?P<what>.*?) - at `\$?\.?(?P<place>.*)`", re.DOTALL)
_KEY = re.compile(r"Object (?:contains unknown|missing required) field `(?P<key>.*)`", re.DOTALL)
SHOWN = 200
FIELD_CHARACTERS = 80


def body_from(raw: bytes, kind: Any) -> Any:
    """The value of a JSON body. ApiError."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid("bad-body", str(error)) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: of invalid UTF-8
        words = f"the body is no JSON: {str(error)[:SHOWN]}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-json", words) from None


def query_from(pairs: Iterable[tuple[str, str]], kind: type[msgspec.Struct] | None) -> Any:
    """The value of what stands behind the question mark. ApiError."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if key in found:
            raise ApiError(UNPROCESSABLE, "bad-query", "it is there twice", key[:FIELD_CHARACTERS])
        found[key] = value
    if kind is None:
        if found:
            raise ApiError(
                UNPROCESSABLE, "bad-query", "nothing is asked for here", next(iter(found))[:FIELD_CHARACTERS]
            )
        return None
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("bad-query", str(error)) from None


def _invalid(code: str, message: str) -> ApiError:
    """msgspec's message: `Expected `int`, got `str` - at `$.limit``."""
    match = _PLACE.fullmatch(message)
    what, place = (match["what"], match["place"]) if match else (message, "")
    if key := _KEY.fullmatch(what):
        place = f"{place}.{key['key']}" if place else key["key"]
    return ApiError(UNPROCESSABLE, code, what[:SHOWN], place[:FIELD_CHARACTERS])
