"""The OpenAPI document as an HTML page, rendered on the server."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from callsieve.api.endpoint import ROOT
from callsieve.web.rendering import document_of

Schema = Mapping[str, Any]


def reference_page(document: Schema) -> str:
    """Return the HTML page of an OpenAPI document."""
    operations = [
        (operation["tags"][0], _operation(method.upper(), path, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = [
        {
            "name": tag["name"],
            "words": tag["description"],
            "operations": [described for group, described in operations if group == tag["name"]],
        }
        for tag in document["tags"]
    ]
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    types = [
        {"name": name, "words": schema.get("description", ""), "fields": _fields(schema)}
        for name, schema in sorted(schemas.items())
    ]
    shown = {"about": document["info"]["description"], "groups": groups, "types": types, "root": ROOT}
    return document_of("api", "reference.html", "en", shown)


def _operation(method: str, path: str, operation: Schema) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    status, done = next(iter(operation["responses"].items()))
    return {
        **{"id": operation["operationId"], "method": method, "path": path, "summary": operation["summary"]},
        "words": operation["description"],
        "fields": [
            _field(
                parameter["name"],
                {**parameter["schema"], "description": parameter.get("description", "")},
                parameter.get("required"),
            )
            for parameter in operation["parameters"]
        ],
        "body": _link(body.get("schema", {})),
        "example": json.dumps(body["example"], indent=2, ensure_ascii=False) if "example" in body else "",
        "status": status,
        "answer": _link(next(iter(done["content"].values()))["schema"]),
    }


def _fields(schema: Schema) -> Iterable[dict[str, Any]]:
    required = schema.get("required", ())
    return [_field(name, described, name in required) for name, described in schema.get("properties", {}).items()]


def _field(name: str, schema: Schema, required: bool | None) -> dict[str, Any]:
    return {
        **{"name": name, "kind": _kind(schema), "link": _link(schema)},
        **{"required": required, "words": schema.get("description", "")},
    }


def _kind(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(json.dumps(part) for part in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return _link(schema) or schema.get("format") or schema.get("type", "any")


def _link(schema: Schema) -> str:
    parts = (schema, schema.get("items", {}), *schema.get("anyOf", ()))
    return next((part["$ref"].rpartition("/")[2] for part in parts if part and "$ref" in part), "")
