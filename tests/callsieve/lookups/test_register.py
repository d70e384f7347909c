"""Which sources are outside in the model's rule 1: none that has marks of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.lookups.operations import longest_budget_seconds, register_sources
from callsieve.reporting.operations import PHONEBLOCK
from callsieve.settings import Settings, parse_settings
from reputation.store.lookups import source_states
from reputation.store.reports import Report, set_report
from tests.reputation.store_builders import NOW, read, write

SOURCES = """
[[lookup]]
name = "phoneblock"
kind = "phoneblock"
token = "env:T"
budget_ms = 80
[[lookup]]
name = "mirror"
kind = "http"
url = "https://phoneblock.net/other/{digits}"
send = "number"
consent = true
spam_when = ["votes > 3"]
[[lookup]]
name = "scores"
kind = "http"
url = "https://api.example.com/{digits}"
send = "number"
consent = true
spam_when = ["score > 3"]
"""
REPORTING = '[reporting.phoneblock]\nenabled = true\ntoken = "env:T"\n'


def settings(text: str) -> Settings:
    return parse_settings(text, "callsieve.toml")


@pytest.mark.parametrize(
    ("more", "has_reported", "outside"),
    [
        pytest.param("", False, {"phoneblock": True, "mirror": True, "scores": True}, id="nobody-is-told"),
        pytest.param(REPORTING, False, {"phoneblock": False, "mirror": False, "scores": True}, id="told"),
        pytest.param("", True, {"phoneblock": False, "mirror": False, "scores": True}, id="was-told"),
    ],
)
def test_outside_evidence_depends_on_settings_and_reports(
    tmp_path: Path, more: str, has_reported: bool, outside: dict[str, bool]
) -> None:
    store = tmp_path / "callsieve.db"
    if has_reported:
        write(store, set_report, PHONEBLOCK, Report("+12015550123", "G_FRAUD", NOW))
    write(store, register_sources, settings(more + SOURCES))
    assert {state.name: state.is_outside for state in read(store, source_states)} == outside
    write(store, register_sources, settings(""))
    assert not any(state.in_settings for state in read(store, source_states))


def test_call_waits_for_the_longest_budget() -> None:
    assert longest_budget_seconds(settings(SOURCES)) == 0.12
    assert longest_budget_seconds(settings("")) == 0.0
