"""What an endpoint answers when it cannot do what was asked: problem details (RFC 9457), with the operation's code."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from callsieve.changes.operation import Refused
from reputation.wording import Wording

PROBLEM_JSON = "application/problem+json"
TYPE = "urn:callsieve:problem:"

# How a refusal of an operation is said in HTTP, by its code: see also `status_of`.
STATUS_BY_CODE = {
    "administrators-only": HTTPStatus.FORBIDDEN,
    "own-token": HTTPStatus.CONFLICT,
    "asterisk-not-reached": HTTPStatus.SERVICE_UNAVAILABLE,
    "cannot-write": HTTPStatus.SERVICE_UNAVAILABLE,
    **dict.fromkeys(
        (
            *("not-listed", "not-marked", "not-reviewed", "not-reassigned", "unknown-number", "nobody"),
            *("unknown-person", "nothing-to-review", "no-identity", "not-recorded", "not-registered", "no-consent"),
            "not-published",
        ),
        HTTPStatus.NOT_FOUND,
    ),
    **dict.fromkeys(
        (
            *("changed-since", "cannot-undo", "name-taken", "objections", "on-already"),
            *("in-the-settings", "key-taken"),
            *("last-administrator", "unusable-policy", "unusable-plan", "several-imports"),
            *("appealed", "denied-lately", "closed", "in-force", "not-in-force", "not-active", "rests-still"),
            *("policy-changed", "no-hub", "too-many"),
        ),
        HTTPStatus.CONFLICT,
    ),
}
UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY
# As RFC 9110 has them: Python says so from 3.13 on.
RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


class Problem(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Why a request was not answered as asked."""

    type: Annotated[str, Meta(description="A URI that names the problem.")]
    title: Annotated[str, Meta(description="The status in words.")]
    status: Annotated[int, Meta(description="The status of the answer.")]
    code: Annotated[str, Meta(description="The problem as a code, which does not change.")]
    detail: Annotated[str, Meta(description="What is wrong and what can be done, in one line for people.")]
    field: Annotated[str, Meta(description="The part of the request that is wrong; empty or left out for none.")] = ""


class ApiError(Exception):
    """The request is answered with this problem; nothing was changed."""

    def __init__(
        self,
        status: int,
        code: str,
        words: str | Wording,
        field: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(str(words))
        self.status = int(status)
        self.code = code
        self.words = words
        self.field = field
        self.headers = headers or {}


def error_of(refused: Refused) -> ApiError:
    """A refusal of an operation."""
    return ApiError(status_of(refused.code), refused.code, refused.words, refused.field)


def status_of(code: str) -> HTTPStatus:
    """The status of a code."""
    if code in STATUS_BY_CODE:
        return STATUS_BY_CODE[code]
    if code.startswith("no-such-"):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.CONFLICT if code.endswith("-already") else UNPROCESSABLE


def title_of(status: int) -> str:
    """What a status is called, the same with every Python."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


def problem_of(error: ApiError) -> Problem:
    """The body of the answer."""
    title = title_of(error.status)
    return Problem(
        type=TYPE + error.code,
        title=title,
        status=error.status,
        code=error.code,
        detail=str(error.words),
        field=error.field,
    )


def problem_response(error: ApiError) -> Response:
    """The answer."""
    body = msgspec.json.encode(problem_of(error))
    return Response(body, error.status, dict(error.headers), PROBLEM_JSON)
