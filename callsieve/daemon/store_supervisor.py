"""The daemon's access to the store. The daemon stays usable whatever happens to the store's file.

Without a store every read and write fails at once, and calls fail open. A damaged file is moved aside and replaced by
the last good backup. If the open file is removed, replaced or emptied, the supervisor notices within a second and keeps
the open content as a backup. A store that becomes read-only is still read, and decisions wait in memory.
"""

import asyncio
import contextlib
import logging
import math
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from reputation.appeals import KeyedCode, ProofAnswer
from reputation.backoff import LONGEST_SECONDS, wait_seconds
from reputation.facts import Facts, FactsQuery
from reputation.feature_codes import LastCall, apply_feature_code, last_call_of, make_passcode
from reputation.model import AuthClass, ChallengeResult, DecisionRecord
from reputation.own.outbound_types import OutboundFacts, OutboundQuery, OutboundRecord
from reputation.store.appeals import prove_keyed
from reputation.store.backup import recover
from reputation.store.connection import Store
from reputation.store.database import READ_ONLY, companions_of, files_of, is_read_only
from reputation.store.devices import new_passcode
from reputation.store.errors import StoreError
from reputation.store.evidence import record_challenge
from reputation.store.journal import Journal
from reputation.store.outbound import outbound_facts
from reputation.store.site import record_emergency
from reputation.store.transcripts import Transcript, record_transcript
from reputation.weights import DEFAULT, Weights

logger = logging.getLogger("callsieve.daemon.store_supervisor")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CHECK_SECONDS = 1.0  # how often the files are checked


class StoreSupervisor:
    """The daemon's store, which implements `agi.screening.Knowledge`. `start` opens it, `close` closes it.

    `weights`: the weights of reputations, replaced as a whole at a reload. `opened`: called each time a store is
    opened, because it may be another file. `incident`: the last event since the start that may have lost data.
    """

    def __init__(self, path: Path, weights: Weights = DEFAULT, opened: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self.weights = weights
        self.journal = Journal(self)
        self.trouble = "the store is not open yet"
        self.incident = ""
        self._opened = opened
        self._taking_back: set[asyncio.Task[None]] = set()
        self._files: tuple[object, ...] = ()
        self._store: Store | None = None
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the store. If the store is unusable, keep trying in the background and raise no error."""
        if not await self._open():
            self._wanted.set()
        self.journal.start()
        self._task = asyncio.create_task(self._keep_open(), name="store")

    async def close(self) -> None:
        """Write the queued rows of the journal and close the store."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.journal.close()
        await self._close_store()

    async def facts(self, query: FactsQuery, give_up_at: float) -> Facts:
        """Return the facts about a call. This read has priority over all other reads."""
        store = self._open_store()
        try:
            return await store.facts(query, give_up_at, self.weights)
        except StoreError as error:
            self._note(error)
            raise

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Run a function in a read transaction, without delaying calls."""
        return await self._open_store().read(fn, *args)

    async def write(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts, give_up_at: float = math.inf) -> T:
        """Run a function in a write transaction. Raise TimeoutError if `fn` has not begun by `give_up_at`."""
        try:
            return await self._open_store().write(fn, *args, give_up_at=give_up_at)
        except StoreError as error:
            self._note(error)
            raise

    async def outbound_facts(self, query: OutboundQuery, give_up_at: float) -> OutboundFacts:
        """Return the facts about an outgoing call, including decisions that are still queued."""
        waiting = self.journal.outbound_waiting()
        try:
            return await self._open_store().read(outbound_facts, query, waiting, give_up_at=give_up_at)
        except StoreError as error:
            self._note(error)
            raise

    async def record_emergency(self, at: float, who: str = "Asterisk") -> None:
        """Record that a phone of this PBX made an emergency call."""
        await self.write(record_emergency, at, who)

    async def record_challenge(
        self, linkedid: str, number: str | None, auth_class: AuthClass, result: ChallengeResult, at: float
    ) -> None:
        """Record how the challenge of a caller ended."""
        await self.write(record_challenge, linkedid, number, auth_class, result, at)

    async def record_transcript(self, transcript: Transcript) -> None:
        """Store the transcript of a caller's words."""
        await self.write(record_transcript, transcript)

    async def apply_feature_code(self, endpoint: str, code: str, at: float, give_up_at: float) -> str:
        """Apply a feature code that a person of this PBX dialled, and return the answer for the phone.

        Raise TimeoutError if the time limit passed and nothing was changed. A cancelled coroutine means that the phone
        has already announced a failure, so a write that still succeeds is undone.
        """
        writing = asyncio.ensure_future(self.write(apply_feature_code, endpoint, code, at, give_up_at=give_up_at))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            task = asyncio.create_task(self._take_back(writing, endpoint, code, at))
            self._taking_back.add(task)
            task.add_done_callback(self._taking_back.discard)
            raise

    async def _take_back(self, writing: asyncio.Future[str], endpoint: str, code: str, at: float) -> None:
        try:
            await writing
            await self.write(apply_feature_code, endpoint, code, at)  # the same code at the same instant undoes it
        except (StoreError, TimeoutError) as error:
            logger.warning("undoing a feature code that was written too late failed: %s", error)

    async def prove_by_call(self, keyed: KeyedCode, at: float, give_up_at: float) -> bool:
        """Return whether the code that a caller entered is right, which proves control of the calling number."""
        proof = await self.write(prove_keyed, keyed, at, give_up_at=give_up_at)
        return proof is ProofAnswer.RIGHT

    async def last_call(self, endpoint: str, now: float) -> LastCall | None:
        """Return the last call of an endpoint, on which feature codes act; None if no call is known."""
        return await self.read(last_call_of, endpoint, now)

    async def make_passcode(self, endpoint: str, at: float, give_up_at: float) -> str | None:
        """Return a new passcode for the own page of the person with this endpoint; None if nobody has this endpoint."""
        passcode = new_passcode()
        return passcode if await self.write(make_passcode, endpoint, passcode, at, give_up_at=give_up_at) else None

    def record_decision(self, record: DecisionRecord) -> None:
        """Queue a decision for the journal."""
        self.journal.add(record)

    def record_outbound(self, record: OutboundRecord) -> None:
        """Queue the decision about an outgoing call for the journal."""
        self.journal.add(record)

    def _open_store(self) -> Store:
        if self._store is None:
            raise StoreError(self.trouble)
        return self._store

    def _note(self, error: StoreError) -> None:
        if error.damaged and self._store is not None:
            self.trouble = str(error)
            self._wanted.set()

    async def _open(self) -> bool:
        try:
            self._store = await Store.open(self.path)
        except StoreError as error:
            self.trouble = str(error)
            logger.error("cannot open the store, calls are not screened: %s", error)
            if error.damaged:
                await self._recover()
            return False
        self._files = await asyncio.to_thread(files_of, self.path)
        self.trouble = ""
        if self._store.is_read_only:
            self._say_read_only()
        self._opened()
        return True

    async def _recover(self) -> None:
        try:
            recovery = await asyncio.to_thread(recover, self.path, time.time())
        except (StoreError, OSError) as error:
            logger.error("cannot replace the damaged store: %s", error)
        else:
            self._report(recovery.message)

    def _report(self, incident: str) -> None:
        self.incident = f"{incident} (shown until the daemon is restarted)"
        logger.critical("%s", incident)

    async def _keep_open(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._wanted.wait()
            try:
                await (self._reopen() if self._wanted.is_set() else self._check_files())
            except Exception:
                logger.exception("keeping the store open failed, trying again in %.0f s", LONGEST_SECONDS)
                await asyncio.sleep(LONGEST_SECONDS)

    async def _reopen(self) -> None:
        if self._store is not None:
            if await self._store.is_emptied():
                await self._leave(self._store, "EMPTIED")
            else:
                await self._close_store()
                logger.error("the store is damaged, calls are not screened: %s", self.trouble)
            await self._recover()
        failures = 0
        while not (await self._open() or await self._open()):  # at once again after a recovery
            failures += 1
            await asyncio.sleep(wait_seconds(failures))
        self._wanted.clear()
        logger.warning("the store is open again")

    async def _check_files(self) -> None:
        """Close the store if its files were replaced or removed. Further writes would be lost at a restart."""
        store = self._store
        if store is None:
            return
        try:
            files = await asyncio.to_thread(files_of, self.path)
        except OSError:  # no permission to check: the open store still works
            return
        read_only = await asyncio.to_thread(is_read_only, self.path)
        if store.is_read_only:
            if not read_only:
                await self._close_store()
                self._wanted.set()
        elif files == self._files:
            if read_only:
                self._say_read_only()
            elif self.trouble.endswith(READ_ONLY):
                self.trouble = ""
            if await store.is_emptied():
                self._wanted.set()
        else:
            await self._leave(store, "removed or REPLACED")
            if files[0] != self._files[0]:
                await asyncio.to_thread(self._remove_log)

    def _say_read_only(self) -> None:
        if not self.trouble:
            self.trouble = f"{self.path}: {READ_ONLY}"
            logger.error("%s", self.trouble)

    async def _leave(self, store: Store, what: str) -> None:
        self._wanted.set()
        self.trouble = f"{self.path}: the store's file, or its -wal or -shm file, was {what}"
        self._store = None  # first, so that nothing more is written there
        try:
            kept = f"is kept as the backup {(await store.save(time.time())).name}"
        except StoreError as error:
            kept = f"is LOST: no backup of it could be made ({error})"
        finally:
            await store.close()
        self._report(f"{self.trouble}; the content that the daemon still had open {kept}")

    def _remove_log(self) -> None:
        """Remove the -wal file of a removed store. Otherwise SQLite would apply the file to the store's replacement."""
        now = files_of(self.path)
        if now[0] == self._files[0]:
            return  # the same file is back, and needs its -wal
        for file, current, opened in zip(companions_of(self.path), now, self._files, strict=True):
            if current is None or current != opened:
                continue
            try:
                file.unlink(missing_ok=True)
            except OSError:  # we may not remove it: an empty -wal has no effect either
                os.truncate(file, 0)

    async def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            self.trouble = self.trouble or "the store is closed"
            await store.close()
