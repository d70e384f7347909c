"""The sender on a real store, with receivers that are well, dead, slow, or want no events any more."""

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
from tests.callsieve.events.hooks import tell_no_digest
from tests.waiting import until

KIND = EventKind.NUMBER_MARKED


class Book:
    """A receiver that writes down what it gets, and refuses as a test says."""

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
        tell_no_digest(opened)
        yield opened


def happen(db: sqlite3.Connection, *subjects: str) -> list[str]:
    """Something happens to each subject; the ids."""
    with transaction(db):
        events = [add_event(db, KIND, subject, time.time(), KINDS[KIND].sample) for subject in subjects]
    return [event.id for event in events if event is not None]


def state_of(db: sqlite3.Connection, name: str = "webhook/crm") -> ReceiverState:
    return next(state for state in receiver_states(db) if state.name == name)


@asynccontextmanager
async def sending(path: Path, *receivers: Receiver) -> AsyncIterator[asyncio.Task[None]]:
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


async def test_what_happens_is_delivered_to_all_in_order(path: Path, db: sqlite3.Connection) -> None:
    crm, pager = Book(), Book("webhook/pager")
    async with sending(path, crm, pager):
        ids = [item for _ in range(10) for item in happen(db, "a", "b", "c", "a")]
        await until(lambda: len(crm.got) == len(pager.got) == 40)
        assert in_order(ids, crm.got)
        assert in_order(ids, pager.got)
        await until(lambda: state_of(db).delivered == 40)
        assert state_of(db).waiting == 0


async def test_what_is_kept_quiet_is_not_counted_as_sent(path: Path, db: sqlite3.Connection) -> None:
    quiet, crm = Book("webhook/quiet"), Book()
    quiet.is_told = False
    async with sending(path, quiet, crm):
        happen(db, *"abc")
        await until(lambda: state_of(db).delivered == 3)
        await until(lambda: len(quiet.got) == 3 and state_of(db, quiet.name).waiting == 0)
        assert state_of(db, quiet.name).delivered == 0


async def test_what_happened_before_the_start_is_delivered(path: Path, db: sqlite3.Connection) -> None:
    use_receivers(db, {"webhook/crm": [KIND]})
    ids = happen(db, *"abc")
    crm = Book()
    async with sending(path, crm):
        await until(lambda: crm.ids == ids)
    assert state_of(db).waiting == 0


async def test_a_dead_and_a_slow_receiver_cost_the_others_nothing(path: Path, db: sqlite3.Connection) -> None:
    crm, slow = Book(), Book("webhook/slow")
    dead = Book("webhook/dead", lambda _event: DeliveryError("connection refused"))
    slow.seconds = 3600.0
    async with sending(path, dead, slow, crm):
        for _ in range(30):
            happen(db, *(str(subject) for subject in range(50)))
        await until(lambda: len(crm.got) == 1500)
        await until(lambda: state_of(db, "webhook/dead").failed > 0)
        assert state_of(db, "webhook/dead").waiting == 1500
    assert state_of(db, "webhook/slow").waiting == 1500


async def test_an_event_that_fails_holds_up_its_subject_only(path: Path, db: sqlite3.Connection) -> None:
    crm = Book(refuses=lambda event: DeliveryError("no") if event.subject == "bad" else None)
    async with sending(path, crm):
        happen(db, "bad", "good", "bad", "good")
        await until(lambda: len(crm.got) == 2)
        await until(lambda: state_of(db).failed == 1)
    assert {event.subject for event in crm.got} == {"good"}
    assert state_of(db).waiting == 2


async def test_a_refused_event_is_a_dead_letter_until_replayed(path: Path, db: sqlite3.Connection) -> None:
    crm = Book(refuses=lambda event: DeliveryError("it answers 422", True) if event.subject == "bad" else None)
    async with sending(path, crm):
        bad, good, later = happen(db, "bad", "good", "bad")
        await until(lambda: len(dead_letters(db, 10)) == 2)
        crm.refuses = lambda _event: None
        with transaction(db):
            assert replay(db, bad, None, time.time()) == 1
        await until(lambda: crm.ids == [good, bad])
        with transaction(db):
            assert replay(db, None, None, time.time()) == 1
        await until(lambda: crm.ids == [good, bad, later])
        await until(lambda: not dead_letters(db, 10) and state_of(db).waiting == 0)


async def test_a_receiver_that_is_gone_is_switched_off_and_on(path: Path, db: sqlite3.Connection) -> None:
    crm = Book(refuses=lambda _event: DeliveryError("it answers 410", gone=True))
    async with sending(path, crm):
        happen(db, *"abcdef")
        await until(lambda: state_of(db).off != "")
        await until(lambda: state_of(db).dead_letters == 6)
        assert happen(db, "a") == []
        crm.refuses = lambda _event: None
        with transaction(db):
            switch_on(db, "webhook/crm", [KIND], time.time())
        ids = happen(db, "a")
        await until(lambda: crm.ids == ids)


async def test_a_bug_in_a_receiver_is_a_failed_delivery(path: Path, db: sqlite3.Connection) -> None:
    def broken(_event: Event) -> None:
        raise ZeroDivisionError

    async with sending(path, Book(refuses=broken)):
        happen(db, "a")
        await until(lambda: state_of(db).failed == 1)
    assert "the log" in state_of(db).error


async def test_a_locked_store_delivers_nothing_twice(path: Path, db: sqlite3.Connection) -> None:
    crm = Book()
    async with sending(path, crm):
        ids = happen(db, *"abc")
        with transaction(db):  # an import, say
            await until(lambda: len(crm.got) == 3)
            await asyncio.sleep(0.5)  # while the sender tries to write what it delivered
        await until(lambda: state_of(db).delivered == 3)
        await until(lambda: state_of(db).waiting == 0)
    assert sorted(crm.ids) == sorted(ids)


async def test_a_store_that_was_replaced_is_left(path: Path, db: sqlite3.Connection) -> None:
    async with sending(path, Book()) as task:
        shutil.copyfile(path, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
        await until(task.done)
        assert isinstance(task.exception(), StoreChanged)


async def test_the_sender_says_that_it_runs_until_it_is_closed(path: Path, db: sqlite3.Connection) -> None:
    async with sending(path, Book()):
        await until(lambda: noted_at(db, HEARTBEAT) is not None)
    assert noted_at(db, HEARTBEAT) is None


async def test_what_is_under_way_at_the_end_is_delivered(path: Path, db: sqlite3.Connection) -> None:
    crm = Book()
    crm.seconds = 0.5
    async with sending(path, crm):
        (event,) = happen(db, "a")
        await until(lambda: crm.begun)
    assert crm.ids == [event]
    assert (state_of(db).waiting, state_of(db).delivered) == (0, 1)


def has_got(book: Book, event_id: str) -> bool:
    return event_id in book.ids


async def test_nobody_is_told_of_a_number_that_was_erased(path: Path, db: sqlite3.Connection) -> None:
    """What the sender has read already, for a receiver that is slow, goes as well."""
    numbers = [f"+4420718387{n:02}" for n in range(IN_FLIGHT + 8)]
    crm, other = Book(), Book("webhook/other")
    crm.gate = asyncio.Event()
    async with sending(path, crm, other):
        happen(db, *numbers)
        await until(lambda: crm.begun == IN_FLIGHT and len(other.got) == len(numbers))
        with transaction(db):
            erase(db, Context("joe", Role.ADMINISTRATOR, time.time(), loaded_in(path.parent)), numbers[-1])
        for subject in ("later", "last"):  # the first may be read before the sender looks up, the second only after
            (last,) = happen(db, subject)
            await until(partial(has_got, other, last))
        crm.gate.set()
        await until(partial(has_got, crm, last))
    assert {event.subject for event in crm.got} == {*numbers[:-1], "later", "last"}


async def test_a_backup_that_was_put_back_is_left_too(path: Path, db: sqlite3.Connection) -> None:
    """It is in the same file. Who gets what may be other than before, and its events have places that were used."""
    crm = Book()
    async with sending(path, crm) as task:
        backup = make_backup(path, time.time())
        old = happen(db, "a", "b", "c")
        await until(lambda: set(old) == set(crm.ids))
        await asyncio.to_thread(restore, path, backup, time.time())
        await until(task.done)
        assert isinstance(task.exception(), StoreChanged)
    async with sending(path, crm):
        (new,) = happen(db, "a")
        await until(lambda: new in crm.ids)
