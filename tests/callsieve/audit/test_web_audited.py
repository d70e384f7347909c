"""Exports and logins are audited."""

from __future__ import annotations

import pytest

from reputation.store.audit import AuditRow, audit_rows
from tests.callsieve.browsing import NOW, PASSWORD, Console, field_of


def rows_of(console: Console) -> list[AuditRow]:
    return console.office.read(audit_rows)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/lists/export.csv", "list export"),
        ("/own/export.csv", "own export"),
        ("/people/export.csv", "people export"),
        ("/people/dids.csv", "did export"),
    ],
)
def test_an_export_is_audited(console: Console, path: str, what: str) -> None:
    assert console.browser("operator").get(path).status_code == 200
    assert [(row.who, row.what, row.at) for row in rows_of(console)] == [("otto (console)", what, NOW)]


def test_refused_export_adds_no_row(console: Console) -> None:
    assert console.browser("viewer").get("/lists/export.csv").status_code == 403
    assert rows_of(console) == []


def test_only_successful_logins_are_audited(console: Console) -> None:
    browser = console.browser()
    fields = {"form_token": field_of(browser.text("/login"), "form_token"), "name": "ada"}
    browser.client.post("/login", data={**fields, "password": "wrong horse battery"})
    assert rows_of(console) == []
    browser.client.post("/login", data={**fields, "password": PASSWORD})
    assert [(row.who, row.what, row.name) for row in rows_of(console)] == [("ada (console)", "login", "192.0.2.7")]
