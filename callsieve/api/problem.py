"""Error responses of the API: problem details (RFC 9457) with the error code of the operation."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from callsieve.changes.operation import Refused
from reputation.wording import Wording

PROBLEM_JSON = "application/problem+json"
TYPE = "urn:callsieve:problem:"

# The HTTP status of a refused operation, by its code. `status_of` has the rules for other codes.
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
# The names of RFC 9110, which Python has from 3.13 on.
RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


class Problem(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The body of an error response. It says why the request failed."""

    type: Annotated[str, Meta(description="A URI that names the problem.")]
    title: Annotated[str, Meta(description="The HTTP status in words.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    code: Annotated[str, Meta(description="A code for programs, which stays the same in later versions.")]
    detail: Annotated[str, Meta(description="The cause and what to do about it, in one line for people.")]
    field: Annotated[str, Meta(description="The invalid field; empty or left out if no single field is invalid.")] = ""


class ApiError(Exception):
    """An error that ends a request with an error response. The request has changed nothing."""

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
    """Return the error response for a refused operation."""
    return ApiError(status_of(refused.code), refused.code, refused.words, refused.field)


def status_of(code: str) -> HTTPStatus:
    """Return the HTTP status for the error code of a refused operation."""
    if code in STATUS_BY_CODE:
        return STATUS_BY_CODE[code]
    if code.startswith("no-such-"):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.CONFLICT if code.endswith("-already") else UNPROCESSABLE


def title_of(status: int) -> str:
    """Return the name of an HTTP status. The name is the same with all Python versions."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


def problem_of(error: ApiError, translate: Callable[[str], str] = str) -> Problem:
    """Return the body of the response for an error. `translate`: translates the detail into the client's language."""
    title = title_of(error.status)
    return Problem(
        type=TYPE + error.code,
        title=title,
        status=error.status,
        code=error.code,
        detail=error.words.in_language(translate) if isinstance(error.words, Wording) else translate(error.words),
        field=error.field,
    )


def problem_response(error: ApiError, translate: Callable[[str], str] = str) -> Response:
    """Return the error as an HTTP response."""
    body = msgspec.json.encode(problem_of(error, translate))
    return Response(body, error.status, dict(error.headers), PROBLEM_JSON)
