"""The page of the settings in force: each with its line in the file, and no secret."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from callsieve.settings import Loaded
from callsieve.status.web.pages import HIDDEN, settings_shown
from tests.callsieve.browsing import SETTINGS, Office

SECRET = "0123456789abcdefSECRET"
HOSTILE = "<script>alert(1)</script>"
MORE = f"""
[agi]
key = "{SECRET}"
deadline_ms = 300

[ami]
secret = '''{SECRET}'''

[company]
name = "{HOSTILE}"
"""


def lines_of(loaded: Loaded) -> dict[str, int | None]:
    shown = settings_shown(loaded)
    return {f"{default.table} {default.name}": default.line for default in (*shown.written, *shown.defaults)}


def test_each_setting_has_its_line_in_the_file(tmp_path: Path) -> None:
    office = Office(tmp_path, SETTINGS + MORE)
    text = office.config.read_text().splitlines()
    found = lines_of(office.load())
    assert found["[agi] deadline_ms"] == text.index("deadline_ms = 300") + 1
    assert found["[ami] host"] is None
    trunks = [line for key, line in found.items() if key.startswith("[[trunk]]")]
    assert trunks
    for setting in settings_shown(office.load()).written:
        assert setting.line is not None
        assert text[setting.line - 1].startswith(setting.name), setting


def test_settings_page_hides_secrets_and_escapes_text(tmp_path: Path) -> None:
    office = Office(tmp_path, SETTINGS + MORE)
    with office.console() as console:
        ada = console.browser("administrator")
        plain = ada.text("/account").count("<script")
        page = ada.text("/settings")
        assert SECRET not in page
        assert HIDDEN in page
        assert page.count("<script") == plain
        assert re.search(r"deadline_ms = 300</code></td><td>line \d+", page)
        assert "ami" not in ada.text("/settings?key=deadline").partition("<table")[2]
        assert ada.text("/settings", params={"key": HOSTILE}).count("<script") == plain
        assert console.browser("operator").get("/settings").status_code == 403


def test_all_settings_are_defaults_without_a_file(tmp_path: Path) -> None:
    office = Office(tmp_path)
    loaded = office.load()
    shown = settings_shown(Loaded(settings=loaded.settings, file=None, state=loaded.state))
    assert shown.written == ()
    assert len(shown.defaults) > 100


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"[agi\n", b"a.b = " + b"[" * 5000])
def test_settings_file_that_became_unreadable_is_no_error(tmp_path: Path, raw: bytes) -> None:
    office = Office(tmp_path)
    loaded = office.load()
    office.config.write_bytes(raw)
    assert settings_shown(loaded).written == ()


def test_line_to_copy_has_the_same_value_when_parsed(tmp_path: Path) -> None:
    office = Office(tmp_path, SETTINGS + '\n[display.en]\nscam = "Fraud"\n')
    shown = settings_shown(office.load())
    rows = [row for row in (*shown.written, *shown.defaults) if row.value != "null" and HIDDEN not in row.value]
    assert any("=" in row.value for row in rows), "a table in one line is among them"
    for row in rows:
        assert row.name in tomllib.loads(f"{row.name} = {row.value}"), row
