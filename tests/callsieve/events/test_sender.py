"""The sender on a real store, with good, dead, slow and refusing receivers."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from callsieve.changes.operation import Context
from callsieve.events.kinds import KINDS, DeliveryError, Event, EventKind, Receiver
from callsieve.events.lane import IN_FLIGHT
from callsieve.events.operations import HEARTBEAT
from callsieve.events.sender import Sender, StoreChanged
from callsieve.integration_settings import WebhookTable
from callsieve.numbers.operations import erase
from callsieve.settings import Loaded, Settings
from reputation.store.backup import make_backup, restore
from reputation.store.connection import Store
from reputation.store.database import open_store
from reputation.store.event_deliveries import ReceiverState, dead_letters, receiver_states, replay, switch_on
from reputation.store.outbox import add_event, noted_at, use_receivers
from reputation.store.transaction import transaction
from reputation.users import Role
from tests.callsieve.events.hooks import skip_digests
from tests.waiting import until

KIND = EventKind.NUMBER_MARKED


class RecordingReceiver:
    """A receiver that keeps events, and refuses as a test says."""

    def __init__(
        self, name: str = "webhook/crm", refuses: Callable[[Event], DeliveryError | None] | None = None
    ) -> None:
        self.name = name
        self.got: list[Event] = []
        self.refuses = refuses or (lambda _event: None)
        self.seconds = 0.0
        self.is_told = True
        self.begun = 0
        self.gate: asyncio.Event | None = None

    async def deliver(self, event: Event) -> bool | None:
        self.begun += 1
        await asyncio.sleep(self.seconds)
        if self.gate is not None:
            await self.gate.wait()
        if (error := self.refuses(event)) is not None:
            raise error
        self.got.append(event)
        return None if self.is_told else False

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.got]


def loaded_in(folder: Path, *names: str) -> Loaded:
    hooks = tuple(
        WebhookTable(name=name.removeprefix("webhook/"), url="https://example.com", secret="env:X") for name in names
    )
    return Loaded(settings=Settings(webhook=hooks), file=None, state=folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callsieve.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(path) as opened:
        skip_digests(opened)
        yield opened


def add_events(db: sqlite3.Connection, *subjects: str) -> list[str]:
    """Add an event for each subject and return the ids."""
    with transaction(db):
        events = [add_event(db, KIND, subject, time.time(), KINDS[KIND].sample) for subject in subjects]
    return [event.id for event in events if event is not None]


def state_of(db: sqlite3.Connection, name: str = "webhook/crm") -> ReceiverState:
    return next(state for state in receiver_states(db) if state.name == name)


@asynccontextmanager
async def running_sender(path: Path, *receivers: Receiver) -> AsyncIterator[asyncio.Task[None]]:
    store = await Store.open(path)
    sender = Sender(store, loaded_in(path.parent, *(receiver.name for receiver in receivers)), receivers)
    task = asyncio.create_task(sender.run())
    try:
        await until(lambda: _names(path) == {receiver.name for receiver in receivers} or task.done())
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sender.close()
        await store.close()


def _names(path: Path) -> set[str]:
    with open_store(path) as db:
        return {state.name for state in receiver_states(db)}


def in_order(ids: Sequence[str], events: Sequence[Event]) -> bool:
    of: dict[str, list[int]] = defaultdict(list)
    for event in events:
        of[event.subject].append(event.seq)
    return {event.id for event in events} == set(ids) and all(seqs == sorted(seqs) for seqs in of.values())


async def test_all_receivers_get_events_in_order(path: Path, db: sqlite3.Connection) -> None:
    crm, pager = RecordingReceiver(), RecordingReceiver("webhook/pager")
    async with running_sender(path, crm, pager):
        ids = [item for _ in range(10) for item in add_events(db, "a", "b", "c", "a")]
        await until(lambda: len(crm.got) == len(pager.got) == 40)
        assert in_order(ids, crm.got)
        assert in_order(ids, pager.got)
        await until(lambda: state_of(db).delivered == 40)
        assert state_of(db).waiting == 0


async def test_suppressed_event_is_not_counted_as_delivered(path: Path, db: sqlite3.Connection) -> None:
    quiet, crm = RecordingReceiver("webhook/quiet"), RecordingReceiver()
    quiet.is_told = False
    async with running_sender(path, quiet, crm):
        add_events(db, *"abc")
        await until(lambda: state_of(db).delivered == 3)
        await until(lambda: len(quiet.got) == 3 and state_of(db, quiet.name).waiting == 0)
        assert state_of(db, quiet.name).delivered == 0


async def test_event_before_the_start_is_delivered(path: Path, db: sqlite3.Connection) -> None:
    use_receivers(db, {"webhook/crm": [KIND]})
    ids = add_events(db, *"abc")
    crm = RecordingReceiver()
    async with running_sender(path, crm):
        await until(lambda: crm.ids == ids)
    assert state_of(db).waiting == 0


async def test_dead_and_slow_receivers_do_not_delay_others(path: Path, db: sqlite3.Connection) -> None:
    crm, slow = RecordingReceiver(), RecordingReceiver("webhook/slow")
    dead = RecordingReceiver("webhook/dead", lambda _event: DeliveryError("connection refused"))
    slow.seconds = 3600.0
    async with running_sender(path, dead, slow, crm):
        for _ in range(30):
            add_events(db, *(str(subject) for subject in range(50)))
        await until(lambda: len(crm.got) == 1500)
        await until(lambda: state_of(db, "webhook/dead").failed > 0)
        assert state_of(db, "webhook/dead").waiting == 1500
    assert state_of(db, "webhook/slow").waiting == 1500


async def test_failing_event_delays_only_its_subject(path: Path, db: sqlite3.Connection) -> None:
    crm = RecordingReceiver(refuses=lambda event: DeliveryError("no") if event.subject == "bad" else None)
    async with running_sender(path, crm):
        add_events(db, "bad", "good", "bad", "good")
        await until(lambda: len(crm.got) == 2)
        await until(lambda: state_of(db).failed == 1)
    assert {event.subject for event in crm.got} == {"good"}
    assert state_of(db).waiting == 2


async def test_a_refused_event_is_a_dead_letter_until_replayed(path: Path, db: sqlite3.Connection) -> None:
    crm = RecordingReceiver(
        refuses=lambda event: DeliveryError("it answers 422", True) if event.subject == "bad" else None
    )
    async with running_sender(path, crm):
        bad, good, later = add_events(db, "bad", "good", "bad")
        await until(lambda: len(dead_letters(db, 10)) == 2)
        crm.refuses = lambda _event: None
        with transaction(db):
            assert replay(db, bad, None, time.time()) == 1
        await until(lambda: crm.ids == [good, bad])
        with transaction(db):
            assert replay(db, None, None, time.time()) == 1
        await until(lambda: crm.ids == [good, bad, later])
        await until(lambda: not dead_letters(db, 10) and state_of(db).waiting == 0)


async def test_receiver_that_answers_410_is_disabled_until_enabled(path: Path, db: sqlite3.Connection) -> None:
    crm = RecordingReceiver(refuses=lambda _event: DeliveryError("it answers 410", gone=True))
    async with running_sender(path, crm):
        add_events(db, *"abcdef")
        await until(lambda: state_of(db).off != "")
        await until(lambda: state_of(db).dead_letters == 6)
        assert add_events(db, "a") == []
        crm.refuses = lambda _event: None
        with transaction(db):
            switch_on(db, "webhook/crm", [KIND], time.time())
        ids = add_events(db, "a")
        await until(lambda: crm.ids == ids)


async def test_bug_in_a_receiver_fails_the_delivery(path: Path, db: sqlite3.Connection) -> None:
    def broken(_event: Event) -> None:
        raise ZeroDivisionError

    async with running_sender(path, RecordingReceiver(refuses=broken)):
        add_events(db, "a")
        await until(lambda: state_of(db).failed == 1)
    assert "the log" in state_of(db).error


async def test_locked_store_causes_no_second_delivery(path: Path, db: sqlite3.Connection) -> None:
    crm = RecordingReceiver()
    async with running_sender(path, crm):
        ids = add_events(db, *"abc")
        with transaction(db):  # an import, say
            await until(lambda: len(crm.got) == 3)
            await asyncio.sleep(0.5)  # while the sender tries to write what it delivered
        await until(lambda: state_of(db).delivered == 3)
        await until(lambda: state_of(db).waiting == 0)
    assert sorted(crm.ids) == sorted(ids)


async def test_replaced_store_ends_the_sender(path: Path, db: sqlite3.Connection) -> None:
    async with running_sender(path, RecordingReceiver()) as task:
        shutil.copyfile(path, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
        await until(task.done)
        assert isinstance(task.exception(), StoreChanged)


async def test_heartbeat_is_removed_on_close(path: Path, db: sqlite3.Connection) -> None:
    async with running_sender(path, RecordingReceiver()):
        await until(lambda: noted_at(db, HEARTBEAT) is not None)
    assert noted_at(db, HEARTBEAT) is None


async def test_running_delivery_is_finished_on_close(path: Path, db: sqlite3.Connection) -> None:
    crm = RecordingReceiver()
    crm.seconds = 0.5
    async with running_sender(path, crm):
        (event,) = add_events(db, "a")
        await until(lambda: crm.begun)
    assert crm.ids == [event]
    assert (state_of(db).waiting, state_of(db).delivered) == (0, 1)


def has_received(book: RecordingReceiver, event_id: str) -> bool:
    return event_id in book.ids


async def test_events_of_an_erased_number_are_not_delivered(path: Path, db: sqlite3.Connection) -> None:
    """Events that the sender has already read are dropped, too."""
    numbers = [f"+4420718387{n:02}" for n in range(IN_FLIGHT + 8)]
    crm, other = RecordingReceiver(), RecordingReceiver("webhook/other")
    crm.gate = asyncio.Event()
    async with running_sender(path, crm, other):
        add_events(db, *numbers)
        await until(lambda: crm.begun == IN_FLIGHT and len(other.got) == len(numbers))
        with transaction(db):
            erase(db, Context("joe", Role.ADMINISTRATOR, time.time(), loaded_in(path.parent)), numbers[-1])
        for subject in ("later", "last"):  # the first may be read before the sender looks up, the second only after
            (last,) = add_events(db, subject)
            await until(partial(has_received, other, last))
        crm.gate.set()
        await until(partial(has_received, crm, last))
    assert {event.subject for event in crm.got} == {*numbers[:-1], "later", "last"}


async def test_restored_backup_ends_the_sender(path: Path, db: sqlite3.Connection) -> None:
    """The file is the same, but its deliveries and event positions are older."""
    crm = RecordingReceiver()
    async with running_sender(path, crm) as task:
        backup = make_backup(path, time.time())
        old = add_events(db, "a", "b", "c")
        await until(lambda: set(old) == set(crm.ids))
        await asyncio.to_thread(restore, path, backup, time.time())
        await until(task.done)
        assert isinstance(task.exception(), StoreChanged)
    async with running_sender(path, crm):
        (new,) = add_events(db, "a")
        await until(lambda: new in crm.ids)
