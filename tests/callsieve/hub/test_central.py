"""A central site has the calls of all sites in its own store, each under its site."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from typing import Final

import pytest

from callsieve.hub.views import state_of
from lab.programs import COMMAND_LINE
from reputation.store.calls import CallFilter, CallRow, find_calls, sites_seen
from reputation.store.hub.incoming import apply_rows
from reputation.store.hub.link import link_of
from reputation.store.hub.rows import MICROSECONDS, SharedRow
from reputation.store.hub.sites import noted_sites
from reputation.store.journal import decision_of, record_decisions
from reputation.store.outcomes import record_outcomes
from tests.callsieve.hub.sites import CALLER, Site, TestHub
from tests.reputation.store_builders import make_outcome, make_record

pytestmark = pytest.mark.slow
NOW: Final = float(int(time.time()))


def call(site: Site, id: str, linkedid: str, caller: str | None = CALLER, at: float = NOW - 60) -> None:
    """A call that a site has decided about, and that is over."""
    site.write(record_decisions, [make_record(id, at, caller, linkedid, action="warn", callee="201")])
    site.write(record_outcomes, [make_outcome(linkedid, at, talk=35.0, by="201", caller=caller)], NOW)


def calls(site: Site, of: str | None = None) -> list[CallRow]:
    return site.read(find_calls, CallFilter(site=of), None, 50)


@pytest.fixture
def center(hub: TestHub) -> Site:
    berlin, london, center = hub.join("berlin", private=True), hub.join("london"), hub.join("center", is_central=True)
    call(berlin, "AAAA1111", "17.1")
    call(berlin, "BBBB2222", "17.2", caller=None, at=NOW - 50)
    call(london, "CCCC3333", "17.1")
    hub.settle()
    call(berlin, "DDDD4444", "17.4", caller=None, at=NOW - 40)
    hub.settle()
    return center


def test_central_site_is_marked_as_central(hub: TestHub, center: Site) -> None:
    linked = {name: site.read(link_of) for name, site in hub.sites.items()}
    assert {name for name, link in linked.items() if link is not None and link.is_central} == {"center"}


def test_central_site_shows_calls_of_another_site(hub: TestHub, center: Site) -> None:
    found = calls(center, "berlin")
    assert [(item.id, item.site, item.callee, item.linkedid) for item in found] == [
        ("DDDD4444", "berlin", "berlin:201", "berlin:17.4"),
        ("AAAA1111", "berlin", "berlin:201", "berlin:17.1"),
    ]
    assert [item.disposition for item in found] == ["answered", "answered"]
    assert calls(center) == found
    assert calls(center, "london") == []  # its private rows are not sent
    assert center.read(sites_seen) == ["berlin"]
    assert hub.sites["london"].read(sites_seen) == hub.sites["berlin"].read(sites_seen) == []
    ours, theirs = (site.read(decision_of, "AAAA1111") for site in (hub.sites["berlin"], center))
    assert ours is not None
    assert theirs is not None
    assert (theirs.vector, theirs.log_odds, theirs.reason, theirs.at) == (
        ours.vector,
        ours.log_odds,
        ours.reason,
        ours.at,
    )


def test_site_cannot_overwrite_a_call_of_another(center: Site) -> None:
    said = center.rows("SELECT * FROM decision WHERE id = 'AAAA1111'")
    columns = [name for (name,) in center.rows("SELECT name FROM pragma_table_info('decision')")]
    row = dict(zip(columns, said[0], strict=True)) | {"linkedid": "9.9", "callee": "999"}
    lie = SharedRow(
        "decision", "paris", "-", '["AAAA1111"]', json.dumps(row), "", int(NOW * MICROSECONDS), 1 << 60, False
    )

    def apply(db: sqlite3.Connection) -> tuple[int, int]:
        link = link_of(db)
        assert link is not None
        return apply_rows(db, link, [lie], frozenset(), 1.0)

    assert center.write(apply) == (1, 1)
    assert center.rows("SELECT * FROM decision WHERE id = 'AAAA1111'") == said


def test_states_of_sites_are_noted_at_the_central_site_only(hub: TestHub, center: Site) -> None:
    noted = center.read(noted_sites)
    assert [(item.name, item.is_central, item.outbox, state_of(item)) for item in noted] == [
        ("berlin", False, 0, "up"),
        ("center", True, 0, "up"),
        ("london", False, 0, "up"),
    ]
    assert noted[0].rows_pushed > 0
    assert hub.sites["berlin"].read(noted_sites) == []


def test_calls_of_an_expelled_site_are_deleted(hub: TestHub, center: Site) -> None:
    hub.run("SELECT callsieve.expel('main', 'berlin', false)")
    center.exchange()
    assert calls(center) == []
    assert center.rows("SELECT count(*) FROM outcome") == [(0,)]


def test_calls_search_filters_by_site(center: Site) -> None:
    def search(site: str) -> list[dict[str, object]]:
        environment = {**os.environ, "CALLSIEVE_STATE": str(center.loaded.state)}
        words = [sys.executable, "-m", COMMAND_LINE, "calls", "search", "--site", site, "--json"]
        done = subprocess.run([*words, "--config", str(center.config)], env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    assert len(search("berlin")) == 2
    assert search("london") == []
