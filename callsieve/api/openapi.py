"""The OpenAPI 3.1 document, made from the table of endpoints and from msgspec's schemas: written nowhere by hand.

`python -m tests.callsieve.api.test_openapi` writes it to docs/reference/openapi.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

import msgspec

from callsieve.api.endpoint import JSON, ROOT, Endpoint
from callsieve.api.idempotency import HEADER
from callsieve.api.problem import PROBLEM_JSON, TYPE, Problem, title_of
from reputation.encoding import plain, wire
from reputation.users import Scope

VERSION = "1"
ABOUT = """\
What CallSieve knows about numbers and calls, and what people may do about it, for programs. Each endpoint runs the
same operation as the command and the page of the console, and leaves the same row in the audit, by `token:NAME`.
The header `CallSieve-Person` names the person behind a program. The audit keeps it as `token:NAME/PERSON`.
"""
_REF = re.compile(r"#/components/schemas/([\w.-]+)")
_PART = re.compile(r"\{(\w+)\}")
GROUPS: Mapping[str, str] = {
    "appeals": "Appeals of number owners against a marking.",
    "call-lists": "Lists of numbers to call, checked before a campaign.",
    "changes": "The audit: who changed what, and undoing it.",
    "compliance": "What the outbound guard checked on a day.",
    "consents": "Consents to be called by us.",
    "decide": "The decision about an incoming call, for other switches.",
    "decide-outbound": "The decision about an outbound call, for other switches.",
    "decisions": "The journal of decisions.",
    "dids": "Our numbers that callers dial.",
    "do-not-call": "People who do not want to be called again.",
    "emergency-calls": "Emergency calls that go out through another switch.",
    "events": "A stream of events.",
    "evidence-packs": "Documents for platforms that label one of our numbers.",
    "exchange": "Other companies whose published evidence is taken, and what we publish.",
    "feeds": "Sources of numbers that are fetched again and again.",
    "identities": "The owners of numbers, with the strength of their proof.",
    "imports": "Imports of people and DIDs.",
    "laws": "The law files that the outbound guard goes by.",
    "lists": "The administrator's allowlist and blocklist.",
    "looks": "What platforms show when our numbers call.",
    "numbers": "What is known about a number, and marking it.",
    "outcomes": "How a call ended, told by another switch.",
    "own-numbers": "The register of numbers that we call out from.",
    "people": "Our people and their own lists.",
    "policies": "Policies: checking, testing, activating, publishing.",
    "receivers": "Receivers of events, and what could not be delivered to them.",
    "registers": "Copies of national do-not-call registers.",
    "screening": "Switching screening off and on.",
    "sites": "The sites of the organisation, by their hub.",
    "status": "Whether calls are screened.",
    "tokens": "Programs that may use the API.",
    "users": "Who may use the console.",
}
_RATE_HEADERS = {
    "RateLimit": {"$ref": "#/components/headers/RateLimit"},
    "RateLimit-Policy": {"$ref": "#/components/headers/RateLimit-Policy"},
}
# What may be answered instead, with an example of a code.
PROBLEMS = {
    HTTPStatus.BAD_REQUEST: ("bad-json", "This is no request, or no JSON."),
    HTTPStatus.UNAUTHORIZED: ("wrong-token", "There is no token, or none that counts."),
    HTTPStatus.FORBIDDEN: ("wrong-scope", "The token has not the scope or the role for this."),
    HTTPStatus.NOT_FOUND: ("no-such-change", "There is no such thing."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("wrong-method", "This address does not support this kind of request."),
    HTTPStatus.REQUEST_TIMEOUT: ("too-slow", "The body took too long to arrive."),
    HTTPStatus.CONFLICT: ("changed-since", "It does not fit what is there now."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too-large", "The body is too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("not-json", "The body is not announced as JSON."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("bad-number", "A field is wrong, or a rule speaks against it."),
    HTTPStatus.TOO_MANY_REQUESTS: ("too-many-requests", "The token has asked too often."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("no-store", "The store, or Asterisk, cannot be used at the moment."),
}
OF_WRITES = {
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
HEADERS_OF = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    HTTPStatus.METHOD_NOT_ALLOWED: {"Allow": {"required": True, "schema": {"type": "string"}}},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": {"required": True, "schema": {"type": "string"}}},
}


def document_of(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document, ready for JSON."""
    table = sorted(endpoints, key=lambda one: (one.path, one.method))
    kinds: list[Any] = [Problem]
    for one in table:
        kinds += [kind for kind in (one.answer, one.body, one.query, one.parts) if kind is not None]
    schemas, components = msgspec.json.schema_components(map(wire, kinds), ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(map(id, kinds), schemas, strict=True))
    for component in components.values():
        if "description" in component:  # Python dedents docstrings from 3.13 on
            component["description"] = cleandoc(component["description"])
    paths: dict[str, dict[str, Any]] = {}
    for one in table:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_kind, components)
    queries = {kind.__name__ for one in table for kind in (one.query, one.parts) if kind is not None}
    sent = _reached([by_kind[id(one.body)] for one in table if one.body is not None], components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CallSieve",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ROOT}],
        "tags": [{"name": group, "description": GROUPS[group]} for group in sorted({one.group for one in table})],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "cs_...",
                    "description": "By `callsieve token add NAME`. " + _scope_words(),
                }
            },
            "headers": {
                "RateLimit": {
                    "description": "How many requests are left (`r`), and in how many seconds all are again (`t`).",
                    "schema": {"type": "string"},
                    "example": '"token";r=599;t=1',
                },
                "RateLimit-Policy": {
                    "description": "How many requests (`q`) in how many seconds (`w`).",
                    "schema": {"type": "string"},
                    "example": '"token";q=600;w=60',
                },
            },
            "schemas": {
                name: one if name in sent else _open(one) for name, one in components.items() if name not in queries
            },
            "responses": {_name(status): _problem(status, code, words) for status, (code, words) in PROBLEMS.items()},
        },
    }


def _open(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of an answer: a later version may say more, and a program passes over that."""
    return {key: value for key, value in schema.items() if key != "additionalProperties" or value is not False}


def _reached(schemas: Iterable[Any], components: Mapping[str, Any]) -> set[str]:
    """The names of all components that these schemas are made of."""
    found: set[str] = set()
    waiting = [match for one in schemas for match in _REF.findall(str(one))]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _REF.findall(str(components[name]))
    return found


def _operation(one: Endpoint, by_kind: Mapping[int, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """One endpoint."""
    said: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.group],
        "summary": one.summary,
        "description": f"Scope `{one.scope}`, role {one.role.word} or above.",
        "parameters": [
            *(_parameters("path", one.parts, components) if one.parts is not None else ()),
            *(_parameters("query", one.query, components) if one.query is not None else ()),
            *_key_parameter(one),
        ],
        "responses": _responses(one, by_kind),
    }
    if one.body is not None:
        content: dict[str, Any] = {"schema": by_kind[id(one.body)]}
        if one.example is not None:
            parts = _PART.findall(one.path)
            content["example"] = {name: value for name, value in plain(one.example).items() if name not in parts}
        said["requestBody"] = {"required": True, "content": {JSON: content}}
    return said


def _responses(one: Endpoint, by_kind: Mapping[int, Any]) -> dict[str, Any]:
    headers = dict(_RATE_HEADERS)
    content = {one.media_type: {"schema": by_kind[id(one.answer)]}}
    done = {"description": "Done.", "headers": headers, "content": content}
    others = [status for status in PROBLEMS if status not in OF_WRITES or one.method != "GET"]
    return {
        str(one.status): done,
        **{str(status.value): {"$ref": f"#/components/responses/{_name(status)}"} for status in others},
    }


def _parameters(where: str, kind: Any, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = components[kind.__name__]
    required = set(schema.get("required", ()))
    return [
        {
            **{"name": name, "in": where, "required": name in required, "description": told.get("description", "")},
            "schema": {key: value for key, value in told.items() if key != "description"},
        }
        for name, told in schema["properties"].items()
    ]


def _key_parameter(one: Endpoint) -> list[dict[str, Any]]:
    if not one.takes_key:
        return []
    words = "The same request with the same key is done once within a day. Another request with it is refused."
    schema = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
    return [{"name": HEADER, "in": "header", "required": False, "description": words, "schema": schema}]


def _problem(status: HTTPStatus, code: str, words: str) -> dict[str, Any]:
    example = Problem(type=TYPE + code, title=title_of(status), status=status.value, code=code, detail=words)
    return {
        "description": words,
        "headers": HEADERS_OF.get(status, {}),
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": msgspec.to_builtins(example),
            }
        },
    }


def _name(status: HTTPStatus) -> str:
    return title_of(status).replace(" ", "")


def _scope_words() -> str:
    return "Its scopes are some of: " + ", ".join(f"`{scope}`" for scope in Scope) + "."
