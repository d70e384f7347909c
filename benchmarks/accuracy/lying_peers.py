"""`python -m benchmarks.accuracy.lying_peers`: measure the harm that lying companies can do to honest numbers.

An office of 20 people has 1,400 numbers, about which it has seven kinds of evidence. Other companies publish all these
numbers as spam, with valid signatures. Then each number calls. The policy `strict` decides, because it does everything
that a level allows. The table is in benchmarks/accuracy/RESULTS.md. A test compares it with a new measurement.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from benchmarks.accuracy.tables import Sheet, markdown
from callsieve.changes.operation import Context
from callsieve.exchange.operations import fetch_peer, known_peers
from callsieve.exchange.rows import (
    INDEX_FILE,
    IndexContents,
    PackedLines,
    PublishedFile,
    row_line,
    sign_index,
    snapshot_head,
)
from callsieve.settings import Loaded, parse_settings
from callsieve.signing.keys import SigningKey
from policies.decision import IncomingCall
from policies.engine import decide
from policies.loader import load_policy
from policies.situation import query_of
from reputation.formulas import week_of
from reputation.model import AuthClass, CallerKind, Level, Mark, MarkChannel, Person, Verdict
from reputation.numbers import Number
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.imports import Feed, import_numbers
from reputation.store.marks import add_mark
from reputation.store.peers import PeerNumber
from reputation.store.people import upsert_people
from reputation.store.site import count_people
from reputation.store.standing import refresh
from reputation.store.transaction import transaction
from reputation.users import Role

LIARS = (0, 1, 2, 8)
OF_KIND = 200
PEOPLE = [str(201 + n) for n in range(20)]
HOUR = 3600.0


class Known(NamedTuple):
    """A kind of number, by the evidence about it that the office itself has.

    Attributes:
        what: The evidence in words, for the table.
        marks: How many people marked the number.
        hung_up: How many people hung up on a call from the number.
        feed: Whether a feed lists the number.
        back: Whether a person called the number back and talked.
        failed: Whether a caller with the number failed a challenge.
    """

    what: str
    marks: int = 0
    hung_up: int = 0
    feed: bool = False
    back: bool = False
    failed: bool = False


KINDS = (
    Known("none"),
    Known("one person here marked the number by mistake", marks=1),
    Known("three people here marked the number, enough for a warning without the companies", marks=3),
    Known(
        "ten people here marked the number or hung up on it, enough for a challenge without the companies",
        marks=5,
        hung_up=5,
    ),
    Known(
        "ten people here marked the number or hung up on it, and a caller with the number failed a challenge",
        marks=5,
        hung_up=5,
        failed=True,
    ),
    Known("a feed lists the number", feed=True),
    Known("one person here called the number back and talked", back=True),
)
SETTINGS = "[reputation.sample]\nevery = 0\n"  # no control sample: otherwise one in four warned calls has no warning
ADD_CHALLENGE = "INSERT INTO challenge VALUES (?, 'unknown', 0, ?, '+442071838750', 'silent', ?)"
ADD_SIGNAL = "INSERT INTO signal VALUES (?, 'unknown', 0, ?, ?, ?, ?)"


def numbers_of(kind: int) -> list[str]:
    """Return the numbers of the kind with this index in KINDS.

    Each number has its own block of 1000, so that no number is evidence about another.
    """
    return [f"+12{10 + kind:02}{n:03}0100" for n in range(OF_KIND)]


def fill(folder: Path, now: float) -> None:
    with open_store(folder / "callsieve.db") as db:
        with transaction(db):
            upsert_people(db, [Person(person) for person in PEOPLE], "benchmark")
            count_people(db)
            for place, kind in enumerate(KINDS):
                for number in numbers_of(place):
                    for n in range(kind.marks):
                        at = now - 2 * HOUR * n
                        mark = Mark(number, AuthClass.UNKNOWN, PEOPLE[n], Verdict.SPAM, at, MarkChannel.EXTENSION)
                        add_mark(db, mark)
                    who = [(person, "hung-up-on") for person in PEOPLE[10 : 10 + kind.hung_up]]
                    who += [(PEOPLE[19], "called-back")] if kind.back else []
                    rows = [(number, item, what, now - HOUR, f"{number}{item}") for item, what in who]
                    db.executemany(ADD_SIGNAL, rows)
                    if kind.failed:
                        db.execute(ADD_CHALLENGE, (number, number, now - HOUR))
                    if rows:
                        refresh(db, number)
        listed = [number for place, kind in enumerate(KINDS) if kind.feed for number in numbers_of(place)]
        import_numbers(db, "a feed", "spam", [(number, None, None, None) for number in listed], feed=Feed("list"))


def publish_lies(folder: Path, key: SigningKey, now: float) -> None:
    """Publish all numbers as spam in `folder`, as if fifty people of a company had complained about each number."""
    folder.mkdir()
    week = week_of(now)
    numbers = sorted(number for place in range(len(KINDS)) for number in numbers_of(place))
    packed = BytesIO()
    lines = PackedLines(packed, snapshot_head(1))
    for number in numbers:
        lines.write(row_line(PeerNumber(number, "unknown", Level.CHALLENGE, 50, 100, week, week, "scam")))
    lines.close()
    raw = packed.getvalue()
    name = f"snapshot-{sha256(raw).hexdigest()}.rows"
    (folder / name).write_bytes(raw)
    file = PublishedFile(file=name, bytes=len(raw), unpacked=lines.unpacked, rows=lines.rows)
    contents = IndexContents(sequence=1, listed_at=int(now), least_people=3, snapshot=file)
    (folder / INDEX_FILE).write_text(sign_index(key, "Liars Ltd", contents, now, now + 7 * 86_400))


def measured(folder: Path, policy: str = "strict") -> dict[int, list[Counter[str]]]:
    """Return how many numbers got each action, by count of lying companies and by kind of number."""
    now, actions_by_liars = time.time(), {}
    fill(folder, now)
    for n in range(max(LIARS)):
        publish_lies(folder / f"liar-{n}", SigningKey(bytes([n + 1] * 32)), now)
    for liars in LIARS:
        tables = "".join(
            f'[[exchange]]\nname = "liar {n}"\npath = "{folder / f"liar-{n}"}"\n'
            f'key = "{SigningKey(bytes([n + 1] * 32)).public_key.text}"\n'
            for n in range(liars)
        )
        loaded = Loaded(settings=parse_settings(SETTINGS + tables, "benchmark"), file=None, state=folder)
        with open_store(loaded.store_path) as db:
            context = Context("benchmark", Role.ADMINISTRATOR, now, loaded)
            for state in known_peers(db, context).values():
                assert fetch_peer(db, context, state).failure is None
            rules, weights = load_policy(policy), loaded.settings.reputation
            actions_by_liars[liars] = [
                Counter(
                    decide(call, facts_of(db, query_of(call, now, None), weights), rules, now).action.word
                    for call in map(_call_of, numbers_of(place))
                )
                for place in range(len(KINDS))
            ]
    return actions_by_liars


def _call_of(number: str) -> IncomingCall:
    return IncomingCall(linkedid=number, caller=Number(number, number, CallerKind.NUMBER), trunk="carrier")


def sheet_of(actions_by_liars: dict[int, list[Counter[str]]]) -> Sheet:
    rows = [
        [
            kind.what,
            *(
                ", ".join(f"{action} {n}" for action, n in sorted(actions_by_liars[liars][place].items()))
                for liars in LIARS
            ),
        ]
        for place, kind in enumerate(KINDS)
    ]
    headings = (
        *("other evidence about the number", "no company lies"),
        *(f"{n} companies lie" if n > 1 else "one company lies" for n in LIARS[1:]),
    )
    caption = (
        f"How many of {OF_KIND * len(KINDS):,} honest numbers get which action of `strict` if companies publish all of"
        " them as spam."
    )
    return Sheet("companies that lie", caption, headings, rows)


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callsieve-liars-")))
        sys.stdout.write(markdown(sheet_of(measured(folder))) + "\n")


if __name__ == "__main__":
    main()
