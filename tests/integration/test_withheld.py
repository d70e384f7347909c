"""A withheld number that is on a blocklist, on a real Asterisk whose trunk delivers the number."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab import CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from tests.integration.office import journal
from tests.waiting import wait_until

BLOCKED, BARRED_BY_ALICE, ALLOWED = "+12015550150", "+12015550151", "+12015550152"
BARRED_IN_LONDON = "+442071838755"
NUMBERS = {BLOCKED, BARRED_BY_ALICE, ALLOWED}
OPTED_IN = SETTINGS.replace("[numbers]\n", "[numbers]\nmatch_withheld = true\n")

# A menu that sends the caller to Alice, on the caller's channel and through a Local channel as a queue does.
MENU, QUEUE = "+442071838759", "+442071838757"
OFFICE = EXTENSIONS.replace(
    "[spam-box]",
    f"""exten => {MENU},1,Answer()
 same => n,Gosub(callsieve-callee,s,1(PJSIP/201))
 same => n,Dial(PJSIP/201,20,${{CALLSIEVE_DIAL}})
exten => {QUEUE},1,Dial(Local/{MENU}@office/n,20)

[spam-box]""",
)


def by_privacy_header(number: str, did: str) -> CallSpec:
    return CallSpec(caller=number, privacy=True, did=did)


def by_remote_party_id(number: str, did: str) -> CallSpec:
    identity = f"<sip:{number}@127.0.0.1>;party=calling;privacy=full;screen=yes"
    return CallSpec(caller=None, did=did, headers={"Remote-Party-ID": identity})


def by_remote_party_id_alone(number: str, did: str) -> CallSpec:
    """The From header still has the number."""
    return replace(by_remote_party_id(number, did), caller=number)


HIDING = [by_privacy_header, by_remote_party_id, by_remote_party_id_alone]


@pytest.fixture(scope="module", params=[pytest.param(True, id="opted in"), pytest.param(False, id="not opted in")])
def pbx(request: pytest.FixtureRequest) -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, extensions=OFFICE) as office:
        office.daemon.write_settings(OPTED_IN if request.param else SETTINGS)
        office.daemon.start()
        now = time.time()
        with open_store(office.daemon.store) as db, transaction(db):
            add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, BLOCKED, added_at=now))
            add_entry(db, ListEntry(ListName.ALLOW, EntryKind.EXACT, ALLOWED, added_at=now))
            for number in (BARRED_BY_ALICE, BARRED_IN_LONDON):
                set_personal_entry(db, PersonalEntry("201", number, ListName.BLOCK, now))
        yield office


@pytest.mark.parametrize("hide", HIDING)
@pytest.mark.parametrize("did", [ALICE, MENU, QUEUE])
@pytest.mark.parametrize(
    ("number", "rule"),
    [
        pytest.param(BLOCKED, "blocklist", id="blocked"),
        pytest.param(BARRED_BY_ALICE, "callee-blocklist", id="blocked-by-the-callee"),
        pytest.param(ALLOWED, "withheld", id="allowed"),
        pytest.param("+12015550199", "withheld", id="on-no-list"),
    ],
)
def test_blocklists_match_a_withheld_number_if_set_to(
    pbx: ScreenedPbx,
    request: pytest.FixtureRequest,
    number: str,
    rule: str,
    did: str,
    hide: Callable[[str, str], CallSpec],
) -> None:
    before = len(journal(pbx.daemon.store))
    matches = rule != "withheld" and "not opted in" not in request.node.name
    # After a menu there are two decisions about whom Alice has blocked: at the trunk, where nobody knows yet that the
    # call is for her, and then.
    after_menu = matches and rule == "callee-blocklist" and did != ALICE
    with Phone(pbx.asterisk, "201") as alice:
        pbx.carrier.call(hide(number, did))
        assert bool(alice.invites()) == (not matches)
    wait_until(lambda: len(journal(pbx.daemon.store)) == before + 1 + after_menu, "the decisions are written")
    latest = journal(pbx.daemon.store)[0]
    assert (latest.rule, latest.caller, latest.caller_kind) == (rule if matches else "withheld", None, "withheld")
    assert number.removeprefix("+1") not in f"{latest}", "what was withheld is stored"


@pytest.mark.parametrize("did", [ALICE, MENU, QUEUE])
def test_a_national_number_is_parsed_as_its_trunk_writes_it(
    pbx: ScreenedPbx, request: pytest.FixtureRequest, did: str
) -> None:
    with Phone(pbx.asterisk, "201") as alice:
        pbx.trusted.call(by_remote_party_id("02071838755", did))
        assert bool(alice.invites()) == ("not opted in" in request.node.name)


def test_a_withheld_number_is_neither_stored_nor_logged(pbx: ScreenedPbx) -> None:
    before = len(journal(pbx.daemon.store))
    with Phone(pbx.asterisk, "201") as alice:
        for number, did, hide in itertools.product(sorted(NUMBERS), (ALICE, MENU), HIDING):
            pbx.carrier.call(hide(number, did))
        shown = [str(invite) for invite in alice.invites()]
    wait_until(lambda: len(journal(pbx.daemon.store)) >= before + 6 * len(NUMBERS), "the decisions are written")
    with open_store(pbx.daemon.store) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [(table, str(row)) for table in tables for row in db.execute(f"SELECT * FROM {table}")]
    told = {table for table, row in rows for number in NUMBERS if number.removeprefix("+1") in row}
    assert told == {"list_entry", "list_prefix", "personal_entry"}, "only the lists themselves"
    log = pbx.daemon.log.read_text()
    assert [number for number in NUMBERS for text in (log, *shown) if number.removeprefix("+1") in text] == []
