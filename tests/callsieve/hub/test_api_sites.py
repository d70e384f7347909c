"""Other sites through the API."""

from __future__ import annotations

from pathlib import Path

from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW
from tests.office import CALLER


def test_a_site_is_listed_ignored_and_resumed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with open_store(office.store) as db, transaction(db):
        for who in ("berlin:305", "paris:7"):
            add_mark(db, Mark(CALLER, AuthClass.UNKNOWN, who, Verdict.SPAM, NOW - 60, MarkChannel.EXTENSION))
    with office.api() as api:
        program = api.program()
        first = program.get("/sites", limit=1)
        assert [item["site"] for item in first["items"]] == ["berlin"]
        assert first["items"][0]["last_at"].endswith("Z")
        (paris,) = program.get("/sites", cursor=first["next"])["items"]
        assert (paris["site"], paris["marks"], paris["ignored"]) == ("paris", 1, None)
        program.done("POST", "/sites/berlin/ignore", {"reason": "broken into"})
        assert program.get("/sites")["items"][0]["ignored"]["reason"] == "broken into"
        assert program.refused("POST", "/sites/berlin/ignore", {"reason": "again"}) == (409, "ignored-already")
        program.done("POST", "/sites/berlin/resume")
        assert program.get("/sites")["items"][0]["ignored"] is None
