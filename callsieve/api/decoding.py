"""What was sent, as its endpoint declares it. Strict: an unknown field, a wrong type or a second value is refused."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from callsieve.api.problem import UNPROCESSABLE, ApiError
from callsieve.misfits import Fault, Misfit, find_misfit

SHOWN = 200
FIELD_CHARACTERS = 80
WORDS = {Fault.UNKNOWN_KEY: "no such field", Fault.MISSING_KEY: "required"}


def body_from(raw: bytes, kind: Any) -> Any:
    """The value of a JSON body. ApiError."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid("bad-body", _misfit_in(raw, kind), error) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: of invalid UTF-8
        words = f"the body is no JSON: {str(error)[:SHOWN]}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-json", words) from None


def _misfit_in(raw: bytes, kind: Any) -> Misfit | None:
    """Return what does not fit; None where what comes after it is no JSON."""
    try:
        return find_misfit(msgspec.json.decode(raw), kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


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
        raise _invalid("bad-query", find_misfit(found, kind, strict=False), error) from None


def _invalid(code: str, misfit: Misfit | None, error: msgspec.ValidationError) -> ApiError:
    if misfit is None:
        return ApiError(UNPROCESSABLE, code, str(error)[:SHOWN])
    return ApiError(
        UNPROCESSABLE, code, (WORDS.get(misfit.fault) or misfit.words)[:SHOWN], misfit.place[:FIELD_CHARACTERS]
    )
