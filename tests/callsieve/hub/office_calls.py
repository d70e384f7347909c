"""The calls of a site during failures: its daemon is asked like by Asterisk, and people mark callers.

    with OfficeCalls(site) as calls: calls.ask("+12015550123"); calls.call_on()
    decided_alone(folder)                   what a daemon decides about each kind of caller without a hub

Of every `Caller` this site alone knows something, so its decision is the same with the hub, without it, and while it
is dying.
"""

from __future__ import annotations

import itertools
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agi.quoting import variables_in
from benchmarks.callers import DID, header_blocks
from lab.daemon import Daemon
from lab.private_server import ADDRESS
from policies.decision import FAIL_OPEN_RULE
from reputation.model import AuthClass, EntryKind, Identity, ListEntry, ListName, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.identities import set_identity
from reputation.store.lists import PersonalEntry, add_entry, set_personal_entry
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction
from tests.callsieve.hub.sites import Site
from tests.callsieve.phones import dial

PEOPLE: Final = tuple(str(extension) for extension in range(301, 321))
OTHERS: Final = ("291", "292", "293")  # they mark hundreds of numbers, more than a phone may
MARKS_OF_ONE: Final = 18  # a person may make 20 a day
OF_A_KIND: Final = 60
NUMBERS: Final = 300
ALONE: Final = 208  # an area code of no site
PAUSE_SECONDS: Final = 0.08
ANSWER_SECONDS: Final = 5.0
MARK_EVERY: Final = 3
COMMAND_EVERY: Final = 200
REACHED = "INSERT INTO reached (person, at, linkedid, number) VALUES (?, ?, ?, ?)"
TALKED = "INSERT INTO talk (number, person, at) VALUES (?, ?, ?)"
# Variables that differ for each call.
OF_THE_CALL: Final = {"CALLSIEVE_ID", "CALLSIEVE_CALLER"}
SETTINGS: Final = "\n".join(
    (
        '[numbers]\nregion = "US"',
        '[policy]\nname = "balanced"',
        '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"',
        f'[[did]]\nnumber = "{DID}"\ngroup = "sales"',
        *(
            f'[[person]]\nextension = "{person}"\ngroup = "group {person}"\nname = "Person {person}"'
            for person in PEOPLE
        ),
        "[reputation.quiet]\nfirst_hour = 0\nlast_hour = 0",
        "[reputation.outside]\nstorm = 0\n",
    )
)


class Caller(Enum):
    """What a site knows of a caller."""

    STRANGER = "nothing"
    ALLOWED = "the company's allowlist has it"
    BLOCKED = "the company's blocklist has it"
    SPAM = "three of our people said spam"
    TALKED = "one of our people talked to it"
    KNOWN = "we know who it is"
    PRIVATE = "one person blocks it"


Answer = tuple[tuple[str, str], ...]


class OfficeCalls:
    """The daemon of a site, and calls that ask it. `area`: it knows the callers of that area code (`prepare`).

    `counts`: `decided`; `failed open`, which is an answer, too; `the daemon was down`; `unanswered`. `seconds`: of each
    answer, from the connection on. `answers`: what was decided about callers of whom the hub says nothing. `said`: of
    each person and number what the phone heard that it is.
    """

    def __init__(self, site: Site, python: str = sys.executable, seed: int = 0, *, area: int = 0) -> None:
        self.daemon = Daemon(site.loaded.state, f"{site.config.read_text()}\n{SETTINGS}", python=python)
        self.counts: Counter[str] = Counter()
        self.failure = ""  # why the last call was not answered
        self.seconds: list[float] = []
        self.answers: list[tuple[Caller, Answer]] = []
        self.said: dict[tuple[str, str], str] = {}
        self._area = area
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._generation = 0
        self._is_down = False

    def __enter__(self) -> Self:
        if self._area:
            with open_store(self.daemon.store) as db, transaction(db):
                prepare(db, self._area)
        self.daemon.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()
        self.daemon.stop()

    def call_on(self) -> None:
        """Calls and marks from now on, one after the other, until the end or `rest`."""
        self._thread.start()

    def rest(self) -> None:
        """No more calls. The daemon goes on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def kill(self) -> None:
        """Kill the daemon at any point, as if systemd would restart it."""
        self._is_down = True
        self.daemon.kill()
        self.daemon.start()
        self._generation += 1
        self._is_down = False

    def ask(self, number: str) -> dict[str, str]:
        """Ask about one call like Asterisk. Return nothing if no answer came."""
        generation, began = (self._generation, self._is_down), time.monotonic()
        try:
            found = _ask(self.daemon.port, number)
        except OSError as error:
            found, self.failure = {}, repr(error)
        if rule := found.get("CALLSIEVE_RULE"):
            self.seconds.append(time.monotonic() - began)
            self.counts["failed open" if rule == FAIL_OPEN_RULE else "decided"] += 1
        else:
            self.failure = repr(found) if found else self.failure
            was_killed = generation != (self._generation, False)
            self.counts["the daemon was down" if was_killed or self._is_down else "unanswered"] += 1
        return found

    def ask_about(self, kind: Caller, place: int, area: int = 0) -> None:
        """Ask about one call of a caller of an area, and keep the decision in `answers`."""
        answer = self.ask(number_of(area or self._area, kind, place))
        if answer.get("CALLSIEVE_RULE", FAIL_OPEN_RULE) != FAIL_OPEN_RULE:
            self.answers.append((kind, answer_of(answer)))

    def mark(self, person: str, number: str, times: int = 1) -> None:
        """Dial the spam code as a person whom the number has called. The second time it retracts the mark."""
        with closing(sqlite3.connect(self.daemon.store, timeout=ANSWER_SECONDS, isolation_level=None)) as db:
            at = time.time()
            db.execute(REACHED, (person, at, f"{at:.6f}", number))  # as the AMI listener writes
        for verdict in ("spam", "retracted")[:times]:
            if self._dial(person) == verdict:
                self.said[person, number] = verdict
                self.counts["marked by phone"] += 1
            else:
                # The phone got no confirmation, so a killed daemon may or may not have stored it.
                self.said.pop((person, number), None)
                return

    def _go_on(self) -> None:
        known = list(itertools.product(Caller, range(OF_A_KIND)))
        self._random.shuffle(known)
        people = itertools.chain.from_iterable(itertools.repeat(PEOPLE, MARKS_OF_ONE))
        for turn in itertools.count():
            if self._stop.wait(PAUSE_SECONDS):
                return
            if turn % 2 and known:
                self.ask_about(*known.pop())
            else:
                self.ask(shared_number(self._random.randrange(NUMBERS)))
            number = shared_number(self._random.randrange(NUMBERS))
            if turn % MARK_EVERY == 0 and (person := next(people, "")) and (person, number) not in self.said:
                self.mark(person, number, self._random.choice((1, 1, 1, 2)))
            elif turn % COMMAND_EVERY == 1 and (person := next(people, "")) and (person, number) not in self.said:
                self._mark_by_command(person, number)

    def _dial(self, person: str) -> str:
        try:
            return dial(self.daemon, f"PJSIP/{person}", "spam")
        except OSError:
            return ""

    def _mark_by_command(self, person: str, number: str) -> None:
        with suppress(subprocess.TimeoutExpired):
            if self.daemon.callsieve("mark", number, "spam", "--as", person).returncode == 0:
                self.said[person, number] = "spam"
                self.counts["marked by command"] += 1


def decided_alone(folder: Path) -> Mapping[Caller, Answer]:
    """Return the decisions of a site without a hub, by kind of caller."""
    daemon = Daemon(folder, f"{SETTINGS}[reputation.sample]\nevery = 0\n")
    with open_store(daemon.store) as db, transaction(db):
        prepare(db, ALONE)
    with daemon:
        return {kind: next(_decisions(daemon, kind)) for kind in Caller}


def _decisions(daemon: Daemon, kind: Caller) -> Iterator[Answer]:
    """Of one caller after the other, but for those who had to wait for too long."""
    for place in range(OF_A_KIND):
        answer = _ask(daemon.port, number_of(ALONE, kind, place))
        if answer["CALLSIEVE_RULE"] != FAIL_OPEN_RULE:
            yield answer_of(answer)


def prepare(db: sqlite3.Connection, area: int) -> None:
    """Write what a site knows of its callers. Call it in a transaction."""
    now = time.time() - 3600
    for place in range(OF_A_KIND):
        numbers = {kind: number_of(area, kind, place) for kind in Caller}
        for name, kind in ((ListName.ALLOW, Caller.ALLOWED), (ListName.BLOCK, Caller.BLOCKED)):
            add_entry(db, ListEntry(name, EntryKind.EXACT, numbers[kind], None, None, "", None, now))
        for person in OTHERS:
            about = (numbers[Caller.SPAM], AuthClass.UNKNOWN, person, Verdict.SPAM, now, MarkChannel.EXTENSION)
            add_mark(db, Mark(*about, group=f"group {person}"))
        db.execute(TALKED, (numbers[Caller.TALKED], PEOPLE[0], now))
        set_identity(db, Identity(numbers[Caller.KNOWN], "Our bank", 2, now + 90 * 86_400, ""), now)
        set_personal_entry(db, PersonalEntry(PEOPLE[0], numbers[Caller.PRIVATE], ListName.BLOCK, now))


def number_of(area: int, kind: Caller, place: int) -> str:
    """Return a number whose evidence at other sites does not count here."""
    return f"+1{area}555{10 * place + list(Caller).index(kind):04}"


def answer_of(variables: Mapping[str, str]) -> Answer:
    """Return the decision without the fields of the single call."""
    number = variables["CALLSIEVE_CALLER"]
    return tuple(
        sorted((name, text.replace(number, "it")) for name, text in variables.items() if name not in OF_THE_CALL)
    )


def shared_number(place: int) -> str:
    """Return a number that all sites have evidence about."""
    return f"+1201555{place:04}"


def _ask(port: int, number: str) -> dict[str, str]:
    """What the daemon sets for a call, each command of which is answered as Asterisk does. OSError."""
    said = b""
    with socket.create_connection((ADDRESS, port), ANSWER_SECONDS) as asking:
        asking.sendall(header_blocks([number])[0])
        while data := asking.recv(8192):
            said += data
            asking.sendall(b"200 result=1\n" * data.count(b"\n"))
    return {name.lstrip("_"): text for name, text in variables_in(said).items()}
