"""Other companies' evidence through the API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from callsieve.changes.operation import Context
from callsieve.exchange.operations import fetch_peer, known_peers
from callsieve.signing.keys import signing_key
from callsieve.signing.statements import verify
from reputation.appeals import AppealStep
from reputation.store.appeals import AppealRuling, decide, open_appeal, take_step
from reputation.store.database import open_store
from reputation.users import Role
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import SETTINGS, changes_of
from tests.callsieve.exchange.companies import OTHER, SPAMMER, Company
from tests.reputation.store_builders import make_appeal

COMPANIES = "/exchange/companies"
URL = "https://example.com/callsieve/"
KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
NEW = {"name": "partner", "url": URL, "key": KEY}


def with_state_directory(folder: Path) -> Path:
    folder.mkdir()
    return folder


def office_with(folder: Path, text: str = "") -> ApiOffice:
    return ApiOffice(folder, SETTINGS + ENABLED + text)


def test_company_is_added_paused_and_removed(tmp_path: Path) -> None:
    office = office_with(tmp_path)
    with office.api() as api:
        program = api.program(Role.ADMINISTRATOR)
        added = program.done("POST", COMPANIES, NEW | {"weight": 0.5})
        assert added["company"]["key_id"]
        one = program.get(f"{COMPANIES}/partner")
        assert one == added["company"]
        assert (one["health"], one["on"], one["weight"], one["of_settings"]) == ("waiting", True, 0.5, False)
        program.done("POST", f"{COMPANIES}/partner/pause")
        assert api.program(Role.VIEWER).get(COMPANIES, on=False)["items"][0]["off_why"]["code"] == "by-hand"
        assert program.get(COMPANIES, on=True)["items"] == []
        program.done("POST", f"{COMPANIES}/partner/resume")
        gone = program.done("DELETE", f"{COMPANIES}/partner")
        assert program.get(COMPANIES)["items"] == []
        program.done("POST", f"/changes/{gone['change_id']}/undo")
        assert program.get(f"{COMPANIES}/partner")["name"] == "partner"
    assert [change[0] for change in changes_of(office)] == [
        *("undo exchange remove", "exchange remove", "exchange resume", "exchange pause", "exchange add"),
    ]


SETTING = f'[[exchange]]\nname = "ours"\nurl = "{URL}"\nkey = "{KEY}"\n'


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        pytest.param("POST", COMPANIES, NEW | {"url": "http://example.com/"}, (422, "bad-company"), id="no-tls"),
        pytest.param("POST", COMPANIES, NEW | {"key": "abc"}, (422, "bad-company"), id="no-key"),
        pytest.param("POST", COMPANIES, NEW | {"private": True}, (422, "bad-body"), id="own-network"),
        pytest.param("POST", COMPANIES, NEW | {"name": "\u202e"}, (422, "bad-company"), id="hostile-name"),
        pytest.param("POST", COMPANIES, NEW, (409, "key-taken"), id="key-already-used"),
        pytest.param("POST", COMPANIES, NEW | {"name": "ours"}, (409, "name-taken"), id="name-of-the-settings"),
        pytest.param("DELETE", f"{COMPANIES}/ours", None, (409, "in-the-settings"), id="of-the-settings"),
        pytest.param("DELETE", f"{COMPANIES}/nobody", None, (404, "no-such-company"), id="unknown-company"),
        pytest.param("POST", f"{COMPANIES}/nobody/pause", None, (404, "no-such-company"), id="pause-unknown-company"),
        pytest.param("POST", f"{COMPANIES}/ours/resume", None, (409, "on-already"), id="resumed-already"),
    ],
)
def test_invalid_request_is_refused(
    tmp_path: Path, method: str, path: str, body: object, told: tuple[int, str]
) -> None:
    office = office_with(tmp_path, SETTING)
    with open_store(office.store) as db:
        known_peers(db, Context("joe", Role.ADMINISTRATOR, time.time(), office.load()))
    with office.api() as api:
        assert api.program(Role.ADMINISTRATOR).refused(method, path, body) == told
    assert changes_of(office) == []


def test_company_shows_health_and_numbers(tmp_path: Path) -> None:
    berlin = Company(tmp_path / "berlin", "Berlin Ltd")
    berlin.mark_as_spam()
    berlin.publish()
    text = f'[[exchange]]\nname = "Berlin"\npath = "{berlin.web}"\nkey = "{berlin.key}"\n'
    office = office_with(with_state_directory(tmp_path / "office"), text)
    with open_store(office.store) as db:
        context = Context("joe", Role.ADMINISTRATOR, time.time(), office.load())
        fetch_peer(db, context, known_peers(db, context)["Berlin"])
    with office.api() as api:
        one = api.program(Role.VIEWER).get(f"{COMPANIES}/Berlin")
    assert (one["health"], one["numbers"], one["issuer"], one["of_settings"]) == ("ok", 1, "Berlin Ltd", True)


def test_statements_of_cleared_numbers_are_signed(tmp_path: Path) -> None:
    publish = f'[publish]\nname = "Ours"\ndirectory = "{tmp_path / "web"}"\n'
    office = office_with(with_state_directory(tmp_path / "office"), publish)
    with open_store(office.store) as db:
        for n, number in enumerate((SPAMMER, OTHER)):
            _uphold(db, number, f"AP00000{n}")
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        first = program.get("/exchange/cleared", limit=1)
        second = program.get("/exchange/cleared", limit=1, cursor=first["next"])
        assert program.get("/exchange/published")["is_late"] is True
        assert api.program(Role.VIEWER).refused("GET", "/exchange/cleared") == (403, "wrong-role")
    items: list[Any] = [*first["items"], *second["items"]]
    assert [item["number"] for item in items] == sorted((SPAMMER, OTHER))
    assert second["next"] is None
    key = signing_key(office.state).public_key
    assert [verify(item["statement"], key).about["number"] for item in items] == sorted((SPAMMER, OTHER))
    assert json.loads(items[0]["statement"])["statement"]["issuer"] == "Ours"


def _uphold(db: Any, number: str, reference: str) -> None:
    now = time.time() - 3600
    appeal = open_appeal(db, make_appeal(number=number, reference=reference, opened_at=now))
    take_step(db, appeal.reference, AppealStep.ACCEPT, now)
    decide(db, appeal.reference, AppealRuling(True, "they are a hospital"), now)


def test_site_that_publishes_nothing_has_no_statements(tmp_path: Path) -> None:
    with office_with(tmp_path).api() as api:
        assert api.program(Role.OPERATOR).get("/exchange/cleared") == {"items": [], "next": None}
        assert api.program(Role.VIEWER).refused("GET", "/exchange/published") == (404, "not-published")
