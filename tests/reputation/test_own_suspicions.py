"""Where own numbers may be marked, from the store: found once a day, reported once, and who shows labels there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsieve.evidence_packs.operations import platforms
from reputation.events import EventKind
from reputation.outcome import OutcomeRecord
from reputation.own.suspicion import Network, Suspicion, labellers, labellers_of
from reputation.store.database import open_store
from reputation.store.outbox import events_after, use_receivers
from reputation.store.outcomes import record_outcomes
from reputation.store.own_health import (
    begun_suspicions,
    checks_for_suspicions,
    find_suspicions,
    grade_all,
    record_suspicions,
    suspicions_about,
)
from reputation.store.transaction import transaction
from tests.reputation.own_campaigns import MADE_UP, OWN
from tests.reputation.store_builders import DAY

NOW = 20_500 * DAY + 36_000.0
THREE = "+447400"  # a range that was given to it


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as store:
        use_receivers(store, {"crm": (EventKind.SUSPECTED,)})
        yield store


def calls(prefix: str, days: range, of_ten: int, a_day: int = 20) -> Iterator[OutcomeRecord]:
    """Make calls on each of these days before NOW, of which `of_ten` of ten were answered."""
    for day in days:
        for call in range(a_day):
            shape = MADE_UP.talked if call % 10 < of_ten else MADE_UP.unanswered
            about: dict[str, Any] = {"linkedid": f"{prefix}-{day}-{call}", "at": NOW - day * DAY + call}
            yield shape._replace(**about, own_number=OWN, dialled=f"{prefix}{day:03d}{call:03d}")


def call_worse_on_three(db: sqlite3.Connection) -> None:
    with transaction(db):
        for prefix, lately in ((THREE, 2), ("+491711", 6), ("+3361234", 6)):
            record_outcomes(db, calls(prefix, range(8, 28), 6), NOW)
            record_outcomes(db, calls(prefix, range(1, 7), lately), NOW)


def reported_suspicions(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    events = events_after(db, 0, 1000)
    return [(event.at, event.data["country"], event.data["network"], event.data["by"]) for event in events]


def test_the_network_that_answers_less_is_named(db: sqlite3.Connection) -> None:
    call_worse_on_three(db)
    with transaction(db):
        for days in (range(8, 28), range(1, 7)):
            record_outcomes(db, calls("+447900", days, 6), NOW)
    (found,) = find_suspicions(db, OWN, NOW)
    assert (found.network, found.by, found.calls_lately) == (Network("GB", "Three"), "answered", 120)
    assert (found.before, found.lately) == (0.6, 0.2)


def test_a_suspicion_is_reported_once(db: sqlite3.Connection) -> None:
    call_worse_on_three(db)
    grade_all(db, NOW)
    assert reported_suspicions(db) == [(NOW, "GB", "Three", "answered")]
    (first,) = suspicions_about(db, OWN)
    grade_all(db, NOW + 3600)
    assert [suspicion.at for suspicion in suspicions_about(db, OWN)] == [NOW], "not looked for again on that day"
    grade_all(db, NOW + DAY)
    assert [(suspicion.since, suspicion.at) for suspicion in suspicions_about(db, OWN)] == [(NOW, NOW + DAY)]
    assert len(reported_suspicions(db)) == 1
    assert begun_suspicions(db, NOW, NOW + 1) == [first._replace(at=NOW + DAY, suspicion=current_suspicion(db))]
    assert begun_suspicions(db, NOW + 1, NOW + 2 * DAY) == []
    assert [(suspicion.number, suspicion.at) for suspicion in checks_for_suspicions(db)] == [(OWN, NOW)]


def current_suspicion(db: sqlite3.Connection) -> Suspicion:
    return suspicions_about(db, OWN)[0].suspicion


def test_a_returning_suspicion_is_reported_again(db: sqlite3.Connection) -> None:
    one = Suspicion(Network("GB", "EE"), "blocked", 0.0, 0.3, 900, 300, 0.999)
    for at, now in ((NOW, [one]), (NOW + DAY, []), (NOW + 2 * DAY, [one])):
        with transaction(db):
            record_suspicions(db, OWN, now, at)
    assert reported_suspicions(db) == [(NOW, "GB", "EE", "blocked"), (NOW + 2 * DAY, "GB", "EE", "blocked")]


@pytest.mark.parametrize(
    ("network", "platforms_there"),
    [
        (Network("US", "Verizon Wireless"), ["TNS", "Hiya"]),
        (Network("US", "AT&T Mobility"), ["Hiya", "Hiya"]),
        (Network("US", "T-Mobile USA, Inc."), ["First Orion", "Hiya"]),
        (Network("US", "TNS Wireless"), ["Hiya"]),
        (Network("US"), ["Hiya", "First Orion", "TNS", "TNS", "Hiya"]),
        (Network("GB", "EE"), ["Hiya"]),
        (Network("GB", "EEspecial"), []),
        (Network("CN", "China Mobile"), ["泰迪熊", "腾讯手机管家", "360手机卫士", "百度手机卫士", "电话邦"]),
        (Network("JP", "KDDI"), []),
    ],
)
def test_a_network_has_its_labellers(network: Network, platforms_there: list[str]) -> None:
    assert [labeller.platform for labeller in labellers_of(network)] == platforms_there


def test_each_labeller_has_a_source_and_a_platform() -> None:
    for labeller in labellers().labeller:
        assert labeller.source.startswith(("https://", "http://")), labeller
        assert labeller.pack in platforms(), labeller
        assert bool(labeller.networks) == (labeller.on == "network"), labeller
