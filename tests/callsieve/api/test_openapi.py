"""docs/reference/openapi.json is what the table of endpoints makes, and what is served.

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


def written() -> str:
    return json.dumps(document_of(endpoints_of(ALL)), indent=2, ensure_ascii=False) + "\n"


def test_the_committed_document_is_that_of_the_table() -> None:
    assert FILE.read_text() == written(), "run: python -m tests.callsieve.api.test_openapi"


def test_the_document_is_served_to_anybody(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        assert api.with_secret(None).get("/openapi.json") == json.loads(FILE.read_text())


def test_the_document_is_valid() -> None:
    validate(json.loads(written()))


def test_patterns_are_those_of_ecmascript() -> None:
    """What Python alone has: `\\Z`, `\\A`, `(?P<`, flags within, possessive repetition."""
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', written()))
    assert patterns
    assert [one for one in map(json.loads, patterns) if re.search(r"\\[AZ]|\(\?P|\(\?[a-zA-Z]|[*+?}]\+", one)] == []


def test_every_field_has_a_description() -> None:
    document = document_of(endpoints_of(ALL))
    fields = {
        f"{name}.{field}": schema
        for name, component in document["components"]["schemas"].items()
        for field, schema in component.get("properties", {}).items()
    }
    parameters = {
        f"{method} {path} {one['name']}": one
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for one in operation["parameters"]
    }
    assert [name for name, one in (fields | parameters).items() if not one.get("description")] == []


def test_no_two_kinds_have_one_name() -> None:
    names: dict[str, Any] = {}
    for one in endpoints_of(ALL):
        for kind in (one.answer, one.body, one.query):
            if isinstance(kind, type):
                assert names.setdefault(kind.__name__, kind) is kind, kind
    assert all("." not in name for name in document_of(endpoints_of(ALL))["components"]["schemas"])


def test_bodies_are_closed_and_answers_may_grow() -> None:
    schemas = document_of(endpoints_of(ALL))["components"]["schemas"]
    for one in endpoints_of(ALL):
        if isinstance(one.body, type):
            assert schemas[one.body.__name__]["additionalProperties"] is False
        if isinstance(one.answer, type) and one.answer.__name__ in schemas:
            assert "additionalProperties" not in schemas[one.answer.__name__]


@pytest.mark.parametrize("one", endpoints_of(ALL), ids=lambda one: f"{one.method} {one.path}")
def test_an_endpoint_is_declared_as_a_whole(one: Endpoint) -> None:
    assert one.summary.endswith(".")
    assert one.role >= LEAST_ROLE[one.scope]
    assert (one.body is None) is (one.example is None)
    assert set(re.findall(r"\{(\w+)\}", one.path)) == set(one.parts.__struct_fields__ if one.parts else ())


if __name__ == "__main__":
    FILE.write_text(written())
