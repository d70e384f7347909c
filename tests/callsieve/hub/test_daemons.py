"""Real daemons and hub processes, while the hub or the first PBX is down."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from lab.postgresql import PostgreSql
from reputation.store.hub.outgoing import has_outgoing
from tests.callsieve.hub.clocks import MovedClock
from tests.callsieve.hub.office_calls import ALONE, PEOPLE, Caller, OfficeCalls, decided_alone, shared_number
from tests.callsieve.hub.sites import Site, TestHub, running, standby_of
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
SECONDS: Final = 60.0
MINUTES: Final = 60


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: that of a daemon's socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        yield Path(folder)


def waiting(site: Site) -> int:
    """Return the number of rows that wait to be sent."""
    ((count,),) = site.rows("SELECT count(*) FROM hub_outbox")
    assert isinstance(count, int)
    return count


def known_by(site: Site) -> list[object]:
    """Return the number of rows that decisions depend on."""
    return [
        site.rows(f"SELECT count(*) FROM {table}")
        for table in ("mark", "list_entry", "personal_entry", "talk", "identity")
    ]


@pytest.mark.timeout(300)
def test_daemons_decide_during_an_hour_without_the_hub(server: PostgreSql, folder: Path) -> None:
    """By the site's clock there is a call every minute, and a mark is made, retracted and made again."""
    hub, clock = TestHub(server, folder).make(), MovedClock(folder / "clock")
    berlin, london = hub.join("berlin"), hub.join("london")
    expected = decided_alone(folder / "alone")
    with OfficeCalls(berlin, clock.python, area=ALONE) as office, running(berlin, clock.python), running(london):
        wait_until(
            lambda: berlin.is_linked() and london.is_linked() and not berlin.read(has_outgoing), "the contact", SECONDS
        )
        server.stop()
        for minute in range(MINUTES):
            clock.be_ahead(60.0 * minute)
            office.ask_about(list(Caller)[minute % len(Caller)], minute // len(Caller))
            office.mark(PEOPLE[minute % len(PEOPLE)], shared_number(minute), times=2)
        # On a busy server a phone may get a failure, and then nothing was changed.
        made = berlin.rows("SELECT number, reporter, verdict FROM mark WHERE number LIKE '+1201%'")
        assert {(reporter, number, verdict) for number, reporter, verdict in made} >= {
            (*said, verdict) for said, verdict in office.said.items()
        }
        assert MINUTES / 2 < len(office.said) <= len(made)
        assert waiting(berlin) == len(made)  # each once, though nearly all were taken back
        assert office.counts["unanswered"] == 0
        assert len(office.answers) > MINUTES / 2
        assert [(kind, answer) for kind, answer in office.answers if answer != expected[kind]] == []
        server.start()
        wait_until(lambda: not waiting(berlin), "the end of the outbox", SECONDS)
        wait_until(lambda: london.stored() == hub.checksums(), "the marks", SECONDS)
        assert berlin.stored() == london.stored()
        told = london.rows("SELECT number, substr(reporter, 8), verdict FROM mark WHERE number LIKE '+1201%'")
        assert sorted(told, key=repr) == sorted(made, key=repr)


@pytest.mark.timeout(300)
def test_standby_decides_when_the_first_is_killed(server: PostgreSql, folder: Path) -> None:
    hub, number = TestHub(server, folder).make(), shared_number(0)
    first = hub.join("berlin", private=True)
    second = standby_of(first)
    with ExitStack() as stack:
        ours = stack.enter_context(OfficeCalls(first, area=ALONE))
        theirs = stack.enter_context(OfficeCalls(second))
        process = stack.enter_context(running(first))
        stack.enter_context(running(second))
        wait_until(lambda: first.is_linked() and second.is_linked(), "the first contact", SECONDS)
        before = theirs.ask(number)
        for person in PEOPLE[:3]:
            while (person, number) not in ours.said:  # a phone that heard that it did not work: dialled again
                ours.mark(person, number)
        for kind in Caller:
            ours.ask_about(kind, 0)
        decided = ours.ask(number)
        wait_until(lambda: not first.read(has_outgoing), "the hub's word that it has all", SECONDS)
        process.kill()
        ours.daemon.kill()
        wait_until(lambda: known_by(second) == known_by(first), "what the first knew", SECONDS)
        theirs.answers.clear()
        for kind in Caller:
            theirs.ask_about(kind, 1, ALONE)
        after = theirs.ask(number)
    assert before["CALLSIEVE_RULE"] == "default"
    assert decided["CALLSIEVE_RULE"] == after["CALLSIEVE_RULE"] != "default"
    assert dict(theirs.answers) == dict(ours.answers)
    assert len(theirs.answers) == len(Caller)
