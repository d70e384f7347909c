"""A caller who withholds a number that somebody has blocked, on a real Asterisk whose trunk delivers it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import add_entry
from reputation.store.personal import PersonalEntry, set_personal_entry
from tests.integration.office import journal, wait_until

BLOCKED, BARRED_BY_ALICE, ALLOWED = "+12015550150", "+12015550151", "+12015550152"
NUMBERS = {BLOCKED, BARRED_BY_ALICE, ALLOWED}
OPTED_IN = SETTINGS.replace("[numbers]\n", "[numbers]\nmatch_withheld = true\n")


@pytest.fixture(scope="module", params=[pytest.param(True, id="opted in"), pytest.param(False, id="not opted in")])
def pbx(request: pytest.FixtureRequest) -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, extensions=EXTENSIONS) as office:
        office.daemon.write_settings(OPTED_IN if request.param else SETTINGS)
        office.daemon.start()
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, BLOCKED, added_at=now))
            add_entry(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, ALLOWED, added_at=now))
            set_personal_entry(db, PersonalEntry("201", BARRED_BY_ALICE, ListName.BLOCK, now))
        yield office


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        pytest.param(BLOCKED, "blocklist", id="blocked"),
        pytest.param(BARRED_BY_ALICE, "callee-blocklist", id="blocked-by-the-callee"),
        pytest.param(ALLOWED, "withheld", id="allowed"),
        pytest.param("+12015550199", "withheld", id="on-no-list"),
    ],
)
def test_blocklists_match_the_withheld_number_if_the_settings_say_so(
    pbx: ScreenedPbx, request: pytest.FixtureRequest, number: str, rule: str
) -> None:
    before = len(journal(pbx.daemon.store))
    matches = rule != "withheld" and "not opted in" not in request.node.name
    with Phone(pbx.asterisk, "201") as alice:
        result = pbx.carrier.call(CallSpec(caller=number, privacy=True, did=ALICE))
        assert (result.code == 200, bool(alice.invites())) == (not matches, not matches)
    wait_until(lambda: len(journal(pbx.daemon.store)) > before, "the decision is written")
    latest = journal(pbx.daemon.store)[0]
    assert (latest.rule, latest.caller) == (rule if matches else "withheld", None)
    assert number.removeprefix("+1") not in f"{latest}", "what was withheld is stored"


def test_the_withheld_number_is_stored_and_logged_nowhere(pbx: ScreenedPbx) -> None:
    before = len(journal(pbx.daemon.store))
    with Phone(pbx.asterisk, "201"):
        for number in sorted(NUMBERS):
            pbx.carrier.call(CallSpec(caller=number, privacy=True, did=ALICE))
    wait_until(lambda: len(journal(pbx.daemon.store)) == before + len(NUMBERS), "the decisions are written")
    with open_store(pbx.daemon.store) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [(table, str(row)) for table in tables for row in db.execute(f"SELECT * FROM {table}")]
    told = {table for table, row in rows for number in NUMBERS if number.removeprefix("+1") in row}
    assert told == {"list_entry", "list_prefix", "personal_entry"}, "only the lists themselves"
    log = pbx.daemon.log.read_text()
    assert [number for number in NUMBERS if number.removeprefix("+1") in log] == []
