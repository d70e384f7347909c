"""Origins of list entries and identities, and which site overrules which."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from callsieve.changes.operation import Context
from callsieve.identities.views import identities_shown
from callsieve.lists.views import lists_shown
from reputation.model import Identity, ListName
from reputation.store.hub.sites import OURS, Origin, origin_of_entry
from reputation.store.identities import set_identity
from reputation.store.lists import add_entry, list_entries
from reputation.users import Role
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import SETTINGS
from tests.callsieve.hub.sites import CALLER, Site, TestHub
from tests.callsieve.program import Program
from tests.reputation.store_builders import make_entry

pytestmark = pytest.mark.slow
OTHER, THIRD = "+12015550124", "+12015550125"


@pytest.fixture
def branch(hub: TestHub) -> Site:
    """Head office has listed two numbers and a prefix; here one of them is listed otherwise, and a third one."""
    head_office, branch = hub.join("head-office"), hub.join("berlin", follow=["head-office"])
    for text in (CALLER, OTHER, "+1900*"):
        head_office.write(add_entry, make_entry(text, list_name=ListName.BLOCK, note="said head office"))
    for number in (CALLER, OTHER):
        head_office.write(set_identity, Identity(number, "Bank", 2, time.time() + 9e6, "letter"), time.time() - 60)
    hub.settle()
    branch.write(add_entry, make_entry(OTHER, list_name=ListName.BLOCK, note="ours"))
    branch.write(add_entry, make_entry(THIRD, list_name=ListName.BLOCK))
    branch.write(set_identity, Identity(OTHER, "Our bank", 1, time.time() + 9e6, ""), time.time())
    return branch


def origins(site: Site, *follow: str) -> dict[str, Origin]:
    entries = site.read(list_entries)
    return {entry.text: site.read(origin_of_entry, entry, follow) for entry in entries}


@pytest.mark.parametrize("exchanged", [False, True])
def test_origin_of_an_entry_is_its_site(hub: TestHub, branch: Site, exchanged: bool) -> None:
    if exchanged:
        hub.settle()
    assert origins(branch, "head-office") == {
        CALLER: Origin("head-office"),
        OTHER: Origin("", ("head-office",)),
        THIRD: OURS,
        "+1900*": Origin("head-office"),
    }
    assert set(origins(branch).values()) == {OURS}


def test_pages_show_origins(branch: Site) -> None:
    context = Context("ada", Role.ADMINISTRATOR, time.time(), branch.loaded)
    lists = branch.read(lists_shown, None, "", context)
    assert {entry.entry.text: entry.origin.site for entry in lists.entries}[CALLER] == "head-office"
    assert lists.has_sites
    identities = branch.read(identities_shown, "", context)
    assert {identity.identity.number: identity.origin for identity in identities.identities} == {
        CALLER: Origin("head-office"),
        OTHER: Origin("", ("head-office",)),
    }


def test_commands_and_api_show_origins(branch: Site, tmp_path: Path) -> None:
    hub_table = branch.config.read_text().partition("[reputation")[0]
    for folder in ("office", "api"):
        (tmp_path / folder).mkdir()
    program = Program(tmp_path / "office")
    program.config.write_text(program.config.read_text() + hub_table)
    store = branch.loaded.store_path.read_bytes()
    program.state.mkdir(parents=True, exist_ok=True)
    program.store.write_bytes(store)
    found = {
        load["text"]: (load["site"], load["overrules"]) for load in json.loads(program.ok("list", "show", "--json"))
    }
    assert found[OTHER] == ("", ["head-office"])
    assert found["+1900*"] == ("head-office", [])
    assert "here (overrules head-office)" in program.ok("list", "show")
    assert "here (overrules head-office)" in program.ok("identity", "show")
    assert ", from head-office" in " ".join(program.ok("lookup", CALLER).split())
    assert [one["site"] for one in json.loads(program.ok("lookup", CALLER, "--json"))["lists"]] == ["head-office"]
    assert {one["site"] for one in json.loads(program.ok("identity", "show", "--json"))} == {"", "head-office"}
    office = ApiOffice(tmp_path / "api", ENABLED + SETTINGS + hub_table)
    office.state.mkdir(parents=True, exist_ok=True)
    office.store.write_bytes(store)
    with office.api() as api:
        asking = api.program()
        blocked, known = asking.get("/lists/block/entries")["items"], asking.get("/identities")["items"]
    assert {item["text"]: item["site"] for item in blocked}[CALLER] == "head-office"
    assert {item["number"]: item["overrules"] for item in known}[OTHER] == ["head-office"]
