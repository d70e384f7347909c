"""docs/reference/openapi.json is up to date, valid and served.

`python -m tests.callsieve.api.test_openapi` writes it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from callsieve.api.endpoint import Endpoint
from callsieve.api.openapi import document_of
from callsieve.main.capabilities import ALL, endpoints_of
from reputation.users import LEAST_ROLE
from tests.callsieve.asking import ApiOffice

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "openapi.json"


def document_text() -> str:
    return json.dumps(document_of(endpoints_of(ALL)), indent=2, ensure_ascii=False) + "\n"


def test_committed_document_is_up_to_date() -> None:
    assert FILE.read_text() == document_text(), "run: python -m tests.callsieve.api.test_openapi"


def test_document_is_served_without_a_token(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.with_secret(None).get("/openapi.json") == json.loads(FILE.read_text())


def test_the_document_is_valid() -> None:
    validate(json.loads(document_text()))


def test_patterns_are_valid_ecmascript() -> None:
    """Not supported by ECMAScript: `\\Z`, `\\A`, `(?P<`, inline flags, possessive quantifiers."""
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', document_text()))
    assert patterns
    assert [
        pattern for pattern in map(json.loads, patterns) if re.search(r"\\[AZ]|\(\?P|\(\?[a-zA-Z]|[*+?}]\+", pattern)
    ] == []


def test_every_field_has_a_description() -> None:
    document = document_of(endpoints_of(ALL))
    fields = {
        f"{name}.{field}": schema
        for name, component in document["components"]["schemas"].items()
        for field, schema in component.get("properties", {}).items()
    }
    parameters = {
        f"{method} {path} {parameter['name']}": parameter
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for parameter in operation["parameters"]
    }
    assert [name for name, item in (fields | parameters).items() if not item.get("description")] == []


def test_schema_names_are_unique() -> None:
    names: dict[str, Any] = {}
    for endpoint in endpoints_of(ALL):
        for kind in (endpoint.answer, endpoint.body, endpoint.query):
            if isinstance(kind, type):
                assert names.setdefault(kind.__name__, kind) is kind, kind
    assert all("." not in name for name in document_of(endpoints_of(ALL))["components"]["schemas"])


def test_request_bodies_are_closed_and_answers_open() -> None:
    schemas = document_of(endpoints_of(ALL))["components"]["schemas"]
    for endpoint in endpoints_of(ALL):
        if isinstance(endpoint.body, type):
            assert schemas[endpoint.body.__name__]["additionalProperties"] is False
        if isinstance(endpoint.answer, type) and endpoint.answer.__name__ in schemas:
            assert "additionalProperties" not in schemas[endpoint.answer.__name__]


@pytest.mark.parametrize("endpoint", endpoints_of(ALL), ids=lambda item: f"{item.method} {item.path}")
def test_every_endpoint_is_fully_declared(endpoint: Endpoint) -> None:
    assert endpoint.summary.endswith(".")
    assert endpoint.role >= LEAST_ROLE[endpoint.scope]
    assert (endpoint.body is None) is (endpoint.example is None)
    assert set(re.findall(r"\{(\w+)\}", endpoint.path)) == set(
        endpoint.parts.__struct_fields__ if endpoint.parts else ()
    )


if __name__ == "__main__":
    FILE.write_text(document_text())
