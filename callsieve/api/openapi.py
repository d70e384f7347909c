"""The OpenAPI 3.1 document (docs/reference/openapi.json), generated from the table of endpoints."""

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
With this API, programs can read and change everything that the commands and the console can. Each endpoint runs the
operation of a command or a page, and writes the same row into the audit, with the user `token:NAME`. The header
`CallSieve-Person` names the person who uses the program. The audit then records `token:NAME/PERSON`.
`Accept-Language: zh` asks for Chinese texts.
"""
_REF = re.compile(r"#/components/schemas/([\w.-]+)")
_PART = re.compile(r"\{(\w+)\}")
GROUPS: Mapping[str, str] = {
    "appeals": "Appeals: number owners ask to have marks reviewed.",
    "call-lists": "Lists of numbers to call, checked before a campaign.",
    "changes": "The audit: who changed what. Changes can be undone here.",
    "compliance": "Daily report of the outbound guard's checks.",
    "consents": "Consents to be called by your organisation.",
    "decide": "The decision about an incoming call, for other switches.",
    "decide-outbound": "The decision about an outbound call, for other switches.",
    "decisions": "The journal of decisions.",
    "dids": "DIDs: the numbers that callers dial to reach you.",
    "do-not-call": "The do-not-call list: people who do not want to be called by you.",
    "emergency-calls": "Emergency calls that go out through another switch.",
    "events": "A stream of events.",
    "evidence-packs": "Documents for platforms that label one of your own numbers.",
    "exchange": "Evidence taken from other companies, and evidence published for them.",
    "feeds": "Feeds: lists of numbers that are downloaded regularly.",
    "identities": "The owners of numbers, with the strength of their proof.",
    "imports": "Imports of people and DIDs.",
    "laws": "The law files that the outbound guard follows.",
    "lists": "The organisation's allowlist and blocklist.",
    "looks": "Label checks: what platforms show when your own numbers call.",
    "numbers": "Evidence, marks and reputation of a number.",
    "outcomes": "How calls through another switch ended.",
    "own-numbers": "Own numbers: those that your outgoing calls show.",
    "people": "People of the organisation, and their personal lists.",
    "policies": "Policies: checking, testing, activating, publishing.",
    "receivers": "Receivers of events, and events that could not be delivered (dead letters).",
    "registers": "Copies of national do-not-call registers.",
    "screening": "Switching screening off and on.",
    "sites": "The sites of the organisation, as the hub knows them.",
    "status": "Whether calls are screened.",
    "tokens": "Tokens of programs that use the API.",
    "users": "Users of the console.",
}
_RATE_HEADERS = {
    "RateLimit": {"$ref": "#/components/headers/RateLimit"},
    "RateLimit-Policy": {"$ref": "#/components/headers/RateLimit-Policy"},
}
# Problem responses by status, with an example of a code.
PROBLEMS = {
    HTTPStatus.BAD_REQUEST: ("bad-json", "The request is malformed, or its body is not valid JSON."),
    HTTPStatus.UNAUTHORIZED: ("wrong-token", "The request has no valid token."),
    HTTPStatus.FORBIDDEN: ("wrong-scope", "The token lacks the scope or the role for this request."),
    HTTPStatus.NOT_FOUND: ("no-such-change", "The endpoint, or an item named in the path, does not exist."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("wrong-method", "This path does not support the method."),
    HTTPStatus.REQUEST_TIMEOUT: ("too-slow", "The body took too long to arrive."),
    HTTPStatus.CONFLICT: ("changed-since", "The change conflicts with the present state."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too-large", "The body is too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("not-json", "The Content-Type is not JSON."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("bad-number", "A field is not valid, or a rule forbids the change."),
    HTTPStatus.TOO_MANY_REQUESTS: ("too-many-requests", "Too many requests with this token."),
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
    """Return the OpenAPI document of these endpoints, as a dict that can be written as JSON."""
    table = sorted(endpoints, key=lambda endpoint: (endpoint.path, endpoint.method))
    kinds: list[Any] = [Problem]
    for endpoint in table:
        kinds += [kind for kind in (endpoint.answer, endpoint.body, endpoint.query, endpoint.parts) if kind is not None]
    schemas, components = msgspec.json.schema_components(map(wire, kinds), ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(map(id, kinds), schemas, strict=True))
    for component in components.values():
        if "description" in component:  # Python dedents docstrings from 3.13 on
            component["description"] = cleandoc(component["description"])
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, by_kind, components)
    queries = {kind.__name__ for endpoint in table for kind in (endpoint.query, endpoint.parts) if kind is not None}
    sent = _used_components([by_kind[id(endpoint.body)] for endpoint in table if endpoint.body is not None], components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CallSieve",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ROOT}],
        "tags": [
            {"name": group, "description": GROUPS[group]} for group in sorted({endpoint.group for endpoint in table})
        ],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "cs_...",
                    "description": "A token made by `callsieve token add NAME`. " + _scope_words(),
                }
            },
            "headers": {
                "RateLimit": {
                    "description": "Remaining requests (`r`), and seconds until the full quota is available (`t`).",
                    "schema": {"type": "string"},
                    "example": '"token";r=599;t=1',
                },
                "RateLimit-Policy": {
                    "description": "The quota: `q` requests per `w` seconds.",
                    "schema": {"type": "string"},
                    "example": '"token";q=600;w=60',
                },
            },
            "schemas": {
                name: schema if name in sent else _allow_more_fields(schema)
                for name, schema in components.items()
                if name not in queries
            },
            "responses": {_name(status): _problem(status, code, words) for status, (code, words) in PROBLEMS.items()},
        },
    }


def _allow_more_fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    # Responses of a later version may have more fields, which programs must ignore.
    return {key: value for key, value in schema.items() if key != "additionalProperties" or value is not False}


def _used_components(schemas: Iterable[Any], components: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    waiting = [match for schema in schemas for match in _REF.findall(str(schema))]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += _REF.findall(str(components[name]))
    return names


def _operation(endpoint: Endpoint, by_kind: Mapping[int, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "description": f"Scope `{endpoint.scope}`, role {endpoint.role.word} or above.",
        "parameters": [
            *(_parameters("path", endpoint.parts, components) if endpoint.parts is not None else ()),
            *(_parameters("query", endpoint.query, components) if endpoint.query is not None else ()),
            *_key_parameter(endpoint),
        ],
        "responses": _responses(endpoint, by_kind),
    }
    if endpoint.body is not None:
        content: dict[str, Any] = {"schema": by_kind[id(endpoint.body)]}
        if endpoint.example is not None:
            parts = _PART.findall(endpoint.path)
            content["example"] = {name: value for name, value in plain(endpoint.example).items() if name not in parts}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def _responses(endpoint: Endpoint, by_kind: Mapping[int, Any]) -> dict[str, Any]:
    headers = dict(_RATE_HEADERS)
    content = {endpoint.media_type: {"schema": by_kind[id(endpoint.answer)]}}
    done = {"description": "Done.", "headers": headers, "content": content}
    others = [status for status in PROBLEMS if status not in OF_WRITES or endpoint.method != "GET"]
    return {
        str(endpoint.status): done,
        **{str(status.value): {"$ref": f"#/components/responses/{_name(status)}"} for status in others},
    }


def _parameters(where: str, kind: Any, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = components[kind.__name__]
    required = set(schema.get("required", ()))
    return [
        {
            **{
                "name": name,
                "in": where,
                "required": name in required,
                "description": described.get("description", ""),
            },
            "schema": {key: value for key, value in described.items() if key != "description"},
        }
        for name, described in schema["properties"].items()
    ]


def _key_parameter(endpoint: Endpoint) -> list[dict[str, Any]]:
    if not endpoint.takes_key:
        return []
    words = (
        "A request that is repeated with the same key within a day is carried out only once. A different request "
        "with the same key is refused."
    )
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
    return "Possible scopes: " + ", ".join(f"`{scope}`" for scope in Scope) + "."
