"""Receivers of events through the API."""

from __future__ import annotations

from pathlib import Path

from reputation.store.database import open_store
from reputation.store.event_deliveries import count_dead_letters
from reputation.store.transaction import transaction
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import SETTINGS
from tests.callsieve.events.test_web_events import HOOK, add_events, fail_all


def test_receiver_is_listed_and_dead_letters_are_replayed(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path, SETTINGS + ENABLED + HOOK)
    with office.api() as api:
        program = api.program()
        (new,) = program.get("/receivers")["items"]
        assert (new["name"], new["health"], new["dead_letters"]) == ("webhook/crm", "waiting", 0)
        with open_store(office.store) as db, transaction(db):
            add_events(db, 2)
            fail_all(db, "410 Gone")
        (failing,) = program.get("/receivers")["items"]
        assert (failing["health"], failing["dead_letters"], failing["failure"]) == ("failed", 2, "410 Gone")
        assert program.done("POST", "/receivers/replay", {"receiver": "crm"})["replayed"] == 2
        assert office.read(count_dead_letters) == 0
        assert program.refused("POST", "/receivers/replay", {"receiver": "x"}) == (404, "no-such-receiver")
