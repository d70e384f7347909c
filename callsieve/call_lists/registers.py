"""Copies of national do-not-call registers: import and remove copies, and check that copies are not too old."""

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, BinaryIO, NamedTuple

from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.doctor.finding import NONE, Finding, HealthCheck, and_more, check_of_store, ok, warn
from callsieve.text.csv_table import RowProblem
from reputation.encoding import FLAT, HIDDEN, encoded
from reputation.law.loader import RegisterRow, register_named, register_names
from reputation.numbers import number_of
from reputation.store import registers
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording

LINE_BYTES = 1000
MOST_PROBLEMS = 10
_NORTH_AMERICA = frozenset({"US", "CA"})
_TEN_DIGITS = re.compile(r'"?([2-9]\d\d)"?[,;\t -]?"?([2-9]\d{2})-?(\d{4})"?', re.ASCII)
_SEPARATOR = re.compile(r"[,;\t]")


class RegisterFile:
    """An iterator over a register file's numbers. `read`: how many lines it read. `skipped`: lines without a number."""

    def __init__(self, stream: BinaryIO, country: str) -> None:
        self.read = self.skipped = self.bytes_read = 0
        self.problems: list[RowProblem] = []
        self._stream = stream
        self._country = country
        self._hash = hashlib.sha256()
        self.watch: Callable[[Iterator[str]], Iterator[str]] = iter  # wraps the numbers to show the progress

    @property
    def sha256(self) -> str:
        """The checksum of the bytes that were read, after decompression."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[str]:
        return self.watch(self._numbers())

    def _numbers(self) -> Iterator[str]:
        while raw := self._stream.readline(LINE_BYTES):
            self._hash.update(raw)
            self.bytes_read += len(raw)
            text = raw.decode("latin-1").strip().removeprefix("\u00ef\u00bb\u00bf")
            if not text:
                continue
            self.read += 1
            number = self._number_in(text)
            if number is not None:
                yield number
            elif self.read > 1:  # the first line may be a header
                self.skipped += 1
                if len(self.problems) < MOST_PROBLEMS:
                    self.problems.append(RowProblem(self.read, f"{text[:40]!r} has no telephone number"))

    def _number_in(self, text: str) -> str | None:
        if self._country in _NORTH_AMERICA and (match := _TEN_DIGITS.fullmatch(text)):
            return f"+1{match[1]}{match[2]}{match[3]}"
        for field in _SEPARATOR.split(text):
            # Numbers without an area code and digits in names are not valid numbers.
            if (number := number_of(field.strip(' "'), self._country)) is not None:
                return number
        return None


MOST_NUMBERS = 300_000_000  # the register of the US has 260 million
LEAST_SHARE = 0.5  # of the previous copy: a smaller file may be an incomplete download
NAME_CHARACTERS = 32


class RegisterRequest(NamedTuple):
    """A request to import a file as the copy of a register. `file_at`: the date of the file as UTC seconds."""

    name: str
    country: str
    file: str
    file_at: float
    numbers: RegisterFile
    accept_smaller: bool = False


class RegisterImported(NamedTuple):
    """The new copy of a register, and the previous copy or None."""

    copy: registers.StoredCopy
    before: registers.StoredCopy | None


@dataclass(frozen=True, slots=True)
class CopyAge:
    """A copy of a register. `age_days`: the age of the copy in days. `cite`: the law that limits this age."""

    copy: Annotated[registers.StoredCopy, FLAT]
    age_days: int
    law: Annotated[RegisterRow | None, HIDDEN]  # None if no law file has the register
    cite: str

    @property
    @encoded
    def max_days(self) -> int | None:
        """The maximum age of a copy that the law allows, in days; null: no limit."""
        return self.law.max_days if self.law else None

    @property
    @encoded
    def is_too_old(self) -> bool:
        """Whether the copy is older than the law allows."""
        return self.law is not None and self.age_days > self.law.max_days


def copy_ages(db: sqlite3.Connection, now: float) -> list[CopyAge]:
    """Return the current copies of do-not-call registers with their ages."""
    return [_age_of(copy, now) for copy in registers.list_copies(db)]


def list_registers(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[CopyAge]:
    """Return the copies of national do-not-call registers with their ages."""
    return page_from(copy_ages(db, context.at), request, lambda age: (age.copy.name,), lambda age: age)


def country_of_register(name: str, country: str | None) -> str:
    """Return a register's country: from the law files, otherwise `country`. Raise Refused if neither is known."""
    known = register_named(name)
    if known is not None:
        return known[0].country
    if not name.isascii() or not name.isprintable() or not 0 < len(name) <= NAME_CHARACTERS:
        raise Refused(
            "bad-name",
            Wording("the name of a register must have 1 to {most} letters", {"most": NAME_CHARACTERS}),
            "register",
        )
    if country is None:
        names = {"name": name, "known": ", ".join(register_names())}
        raise Refused(
            "no-country", Wording("unknown register {name} (known: {known}): give the country of the register", names)
        )
    return country.upper()


def import_register(db: sqlite3.Connection, context: Context, request: RegisterRequest) -> RegisterImported:
    """Import all numbers of the file as the copy of the register, or none if the import is refused."""
    before = next((old for old in registers.list_copies(db) if old.name == request.name), None)
    _clear(db, request.name)
    with whole(db):
        copy = registers.begin_copy(db, request.name, request.country, request.file, request.file_at, context.at)
    numbers, rows = 0, iter(request.numbers)
    try:
        while batch := list(islice(rows, registers.BATCH)):
            with whole(db):
                numbers += registers.add_numbers(db, copy, batch)
            if numbers > MOST_NUMBERS:
                raise Refused("too-many", Wording("has more than {most} numbers", {"most": MOST_NUMBERS}))
        _check(request, numbers, before)
        with change(db, context, "own registers import", name=request.name) as changed:
            registers.put_in_force(db, copy, request.numbers.sha256, numbers)
            changed.before = before and {"numbers": before.numbers, "sha256": before.sha256}
            changed.after = {"numbers": numbers, "file": request.file, "sha256": request.numbers.sha256}
    finally:
        _clear(db, request.name)
    return RegisterImported(next(new for new in registers.list_copies(db) if new.name == request.name), before)


def remove_register(db: sqlite3.Connection, context: Context, name: str) -> registers.StoredCopy:
    """Remove the copy of a register."""
    with change(db, context, "own registers remove", name=name) as changed:
        gone = registers.withdraw(db, name)
        if gone is None:
            raise Refused("no-register", Wording("there is no copy of a register {name}", {"name": name}))
        changed.before = {"numbers": gone.numbers, "file": gone.file, "sha256": gone.sha256}
    _clear(db, name)
    return gone


def _check(request: RegisterRequest, numbers: int, before: registers.StoredCopy | None) -> None:
    if not numbers:
        raise Refused("nothing-usable", Wording("{file}: no telephone numbers found", {"file": request.file}))
    if before and numbers < LEAST_SHARE * before.numbers and not request.accept_smaller:
        counts: Places = {"file": request.file, "numbers": numbers, "before": before.numbers}
        words = Wording(
            "{file} has {numbers} numbers, but the previous copy has {before}. To accept the file, add "
            "--accept-smaller",
            counts,
        )
        raise Refused("register-shrank", words)


def _clear(db: sqlite3.Connection, name: str) -> None:
    # In several transactions, so that others can write between them.
    for copy in registers.unused_copies(db, name):
        after: int | None = 0
        while after is not None:
            with whole(db):
                after = registers.delete_numbers(db, copy, after)


def _age_of(copy: registers.StoredCopy, now: float) -> CopyAge:
    known = register_named(copy.name)
    age = max(0, int((now - copy.file_at) // DAY_SECONDS))
    return CopyAge(copy, age, known[1] if known else None, known[0].cite(known[1]) if known else "")


@check_of_store
def has_fresh_registers(db: sqlite3.Connection, now: float) -> Finding:
    """Check that copies of national do-not-call registers are as recent as the law requires."""
    ages = copy_ages(db, now)
    old = [age for age in ages if age.is_too_old]
    if old:
        first = old[0]
        most = first.law.max_days if first.law else 0
        about: Places = {"name": first.copy.name, "days": first.age_days, "law": first.cite, "most": most}
        words = Wording("the copy of {name} is {days} days old, and {law} allows {most}", about)
        return warn(and_more(words, len(old) - 1), f"callsieve own registers import FILE --register {first.copy.name}")
    numbers = sum(age.copy.numbers for age in ages)
    return ok(
        Wording("copies of registers: {count}, with {numbers} numbers", {"count": len(ages), "numbers": numbers})
        if ages
        else NONE
    )


CHECKS = (HealthCheck(place=440, name="call registers", find=has_fresh_registers),)
