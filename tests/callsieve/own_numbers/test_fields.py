"""A field of own numbers is spelled out in one list, and every door has it: the recipe of CONTRIBUTING.md."""

from __future__ import annotations

import re
from dataclasses import fields
from html import unescape
from pathlib import Path

import pytest

from callsieve.own_numbers.fields import FIELDS, FieldKind, FormField
from reputation.own.register import OwnNumber
from reputation.store.own_register import own_of
from tests.callsieve.browsing import Console, Office, undo_of
from tests.callsieve.program import Program

ROOT = Path(__file__).resolve().parents[3]
OWN = "+442071838750"
TEXT = "something & more"
# Where a field of own numbers may be named in the code.
PLACES = ("callsieve/own_numbers", "reputation/own", "reputation/store/own_register.py")

written = pytest.mark.parametrize(
    "field", [pytest.param(field, id=field.name) for field in FIELDS if field.kind is not FieldKind.TIME]
)


def value_in(own: OwnNumber | None, field: FormField) -> object:
    return getattr(own, field.attribute)


@written
def test_command_line_accepts_and_shows_each_field(callsieve: Program, tmp_path: Path, field: FormField) -> None:
    kept = [TEXT] if field.is_list else TEXT
    assert re.search(
        f"^{field.heading} +{TEXT}$", callsieve.ok("own", "add", OWN, f"--{field.option_name}", TEXT), re.M
    )
    assert callsieve("own", "show", OWN, "--json").json["register"][field.attribute] == kept
    [row] = callsieve("audit", OWN, "--json").json
    assert row["after"][field.attribute] == kept
    file = tmp_path / "own.csv"
    callsieve.ok("own", "export", "--out", file)
    callsieve.ok("own", "remove", OWN)
    callsieve.ok("own", "import", file)
    assert callsieve("own", "show", OWN, "--json").json["register"][field.attribute] == kept


@written
def test_console_accepts_and_shows_each_field(console: Console, office: Office, field: FormField) -> None:
    otto = console.browser("operator")
    assert f'<label for="{field.name}">{field.label}' in unescape(otto.text("/own/new"))
    page = otto.done("/own/add", **{"number": OWN, field.name: TEXT, "next_check": "never"}).text
    assert value_in(office.read(own_of, OWN), field) == ((TEXT,) if field.is_list else TEXT)
    assert f"<dt>{field.heading}</dt><dd>{TEXT}</dd>" in unescape(page)
    otto.done(f"/own/{OWN}/change", **{field.name: ""})
    assert not value_in(office.read(own_of, OWN), field)
    otto.done(f"/own/{OWN}/undo", id=undo_of(otto.text(f"/own/{OWN}")))
    assert value_in(office.read(own_of, OWN), field)


def test_fields_match_the_columns_of_the_register() -> None:
    names = {field.name for field in fields(OwnNumber)}
    assert {field.attribute for field in FIELDS} <= names
    assert names - {field.attribute for field in FIELDS} == {"number", "checked_at", "state", "since", "added_at"}


def test_no_other_code_names_a_field() -> None:
    found = {
        str(path.relative_to(ROOT))
        for place in PLACES
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*"))
        if path.suffix in (".py", ".html") and re.search(r"\bowner\b", path.read_text())
    }
    assert found == {"callsieve/own_numbers/fields.py", "reputation/own/register.py"}
