"""Feeds through the API."""

from __future__ import annotations

from pathlib import Path

from reputation.store.database import open_store
from reputation.store.imports import Feed, import_numbers, last_of
from reputation.users import Role
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import SETTINGS
from tests.office import CALLER

FEED = """\
[[feed]]
name = "never-came"
url = "https://feeds.example/list.csv"
"""


def test_imported_and_waiting_feeds_are_listed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path, SETTINGS + ENABLED + FEED)
    with open_store(office.store) as db:
        rows = [(CALLER, None, None, None)]
        import_numbers(db, "complaints", "spam", rows, office.clock, feed=Feed("a list", last_of))
    with office.api() as api:
        program = api.program(Role.VIEWER)
        feeds = {item["name"]: item for item in program.get("/feeds")["items"]}
        waiting = [item["name"] for item in program.get("/feeds", health="waiting")["items"]]
    assert (feeds["complaints"]["numbers"], feeds["complaints"]["health"]) == (1, "ok")
    assert feeds["complaints"]["skill"]["judgement"] == "too_few_calls_to_tell"
    assert (feeds["never-came"]["numbers"], feeds["never-came"]["imported_at"]) == (0, None)
    assert waiting == ["never-came"]
