"""Read a country's file into the rows of its numbering plan. All checks are here, so that a look-up cannot fail.

An error names the file, the row, the key and the remedy:

    fr.toml: range 3 (+33162): purpose has the unknown value 'sales': use one of bank, call-centre, ...
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any, TypeVar

from reputation.numbers import calling_code_of
from reputation.plan.rows import PlanFile, PlanRow, PlanSource, Purpose
from reputation.wording import Wording

MAX_BYTES = 1 << 18
MAX_PREFIXES = 5000  # of one file
MAX_PROBLEMS = 20
MAX_SAME = 50  # rows of one prefix, each of other days or digits: a look-up goes through them
MAX_TEXT = 300
FILE_KEYS = frozenset({"country", "adds_to", "calling_code", "read", "unverified", "source", "range"})
SOURCE_KEYS = frozenset({"name", "title", "url", "read"})
RANGE_KEYS = frozenset(
    {*("prefix", "digits", "purpose", "source", "valid_from", "valid_until", "evidence", "law", "note")}
)
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_URL = re.compile(r"https?://[!-~]{3,}", re.ASCII)

T = TypeVar("T")


class PlanError(ValueError):
    """The error for an unusable plan file. The text lists all faults, one per line, with the name of the file."""

    def __init__(self, problems: Sequence[Wording]) -> None:
        count = len(problems) - 1
        more = Wording(
            "{problem} (and {count} more: run `callsieve plan check`)", {"problem": problems[0], "count": count}
        )
        self.words = more if count else problems[0]
        self.problems = tuple(problems)
        super().__init__(self.words)


class _Wrong(ValueError):
    def __init__(self, words: Wording) -> None:
        super().__init__(words)
        self.words = words


def parse_plan(raw: bytes, name: str) -> PlanFile:
    """Parse a plan file. `name`: the file's name, for errors. Raise PlanError if the file is unusable."""
    if len(raw) > MAX_BYTES:
        raise PlanError(
            [
                Wording(
                    "{name}: the file is larger than {most:,} bytes: split it into one file per country",
                    {"name": name, "most": MAX_BYTES},
                )
            ]
        )
    try:
        table = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PlanError(
            [Wording("{name}: not UTF-8 at byte {place}: save the file as UTF-8", {"name": name, "place": error.start})]
        ) from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; numbers of 5000 digits; 1000 brackets in a row
        raise PlanError([Wording("{name}: not TOML: {problem}", {"name": name, "problem": str(error)})]) from None
    problems: list[Wording] = []
    plan = _Reader(table, problems).plan()
    if plan is None or problems:
        raise PlanError(
            [Wording("{name}: {problem}", {"name": name, "problem": problem}) for problem in problems[:MAX_PROBLEMS]]
        )
    return plan


@lru_cache(maxsize=1)
def shipped_plans() -> tuple[PlanFile, ...]:
    """Return the numbering plans that come with CallSieve, ordered by country."""
    plans = (entry for entry in files("reputation.plan").iterdir() if entry.name.endswith(".toml"))
    return tuple(parse_plan(entry.read_bytes(), entry.name) for entry in sorted(plans, key=lambda entry: entry.name))


class _Reader:
    def __init__(self, table: Mapping[str, Any], problems: list[Wording]) -> None:
        self._table = table
        self._problems = problems
        self._sources: dict[str, PlanSource] = {}

    def plan(self) -> PlanFile | None:
        table = self._table
        self._check_keys(table, FILE_KEYS, "")
        adds = "adds_to" in table
        if adds == ("country" in table):
            self._problems.append(
                Wording(
                    "the file needs either `country` (the whole plan of a country) or `adds_to` (rows beside the "
                    'existing plan), such as country = "FR"'
                )
            )
        country = self._read("", lambda: _country(table.get("adds_to" if adds else "country")))
        code = self._read("", lambda: _calling_code(table.get("calling_code"), country or ""))
        read = self._read("", lambda: _day("read", table.get("read")))
        for source in self._tables("source", self._source):
            self._sources[source.name] = source
        ranges = self._tables("range", lambda table: self._rows(table, country or "", code, adds))
        rows = [row for of_range in ranges for row in of_range]
        if len(rows) > MAX_PREFIXES:
            self._problems.append(
                Wording(
                    "the file has {count:,} prefixes, and at most {most:,} are read: use shorter prefixes",
                    {"count": len(rows), "most": MAX_PREFIXES},
                )
            )
        else:
            self._problems.extend(islice(_overlaps(rows), MAX_PROBLEMS))
        if country is None or code is None or read is None:
            return None
        unverified = self._read("", lambda: _texts("unverified", table.get("unverified", [])))
        return PlanFile(country, code, read, tuple(self._sources.values()), tuple(rows), adds, unverified or ())

    def _tables(self, key: str, read: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
        tables = self._table.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._problems.append(Wording("{key} must be written as [[{key}]] tables", {"key": key}))
            return
        for place, table in enumerate(tables, 1):
            about = f"{key} {place}{_named(table, 'name' if key == 'source' else 'prefix')}: "
            self._check_keys(table, SOURCE_KEYS if key == "source" else RANGE_KEYS, about)
            entry = self._read(about, lambda: read(table))  # noqa: B023 (called at once)
            if entry is not None:
                yield entry

    def _read(self, about: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except _Wrong as error:
            self._problems.append(Wording("{about}{problem}", {"about": about, "problem": error.words}))
            return None

    def _check_keys(self, table: Mapping[str, Any], known: frozenset[str], about: str) -> None:
        for key in (key for key in table if key not in known):
            self._problems.append(
                Wording(
                    "{about}unknown key {value}: use {allowed}",
                    {"about": about, "value": _shown(key), "allowed": ", ".join(sorted(known))},
                )
            )

    def _source(self, table: Mapping[str, Any]) -> PlanSource:
        name, title, url = (_text(key, table.get(key)) for key in ("name", "title", "url"))
        if not _URL.fullmatch(url):
            raise _Wrong(
                Wording("url must be an address such as https://example.org/page, not {value}", {"value": _shown(url)})
            )
        if name in self._sources:
            raise _Wrong(Wording("name: {value} is used twice: give each source its own name", {"value": _shown(name)}))
        return PlanSource(name, title, url, _day("read", table.get("read")))

    def _rows(self, table: Mapping[str, Any], country: str, calling_code: int | None, is_own: bool) -> list[PlanRow]:
        purpose = table.get("purpose")
        if not isinstance(purpose, str) or purpose not in set(Purpose):
            raise _Wrong(
                Wording(
                    "purpose has the unknown value {value}: use one of {allowed}",
                    {"value": _shown(purpose), "allowed": ", ".join(sorted(Purpose))},
                )
            )
        source, law = (self._source_named(key, table.get(key)) for key in ("source", "law"))
        is_evidence = _boolean("evidence", table.get("evidence", source is not None))
        if source is None and is_evidence:
            raise _Wrong(Wording("`evidence = true` needs a source: add `source`, or remove `evidence`"))
        begins, ends = (_day(key, table[key]) if key in table else None for key in ("valid_from", "valid_until"))
        if begins and ends and ends < begins:
            raise _Wrong(Wording("`valid_until` is before `valid_from`: correct one of them (both days are included)"))
        digits, note = _digits(table.get("digits")), _text("note", table["note"]) if "note" in table else ""
        return [
            PlanRow(
                country=country,
                prefix=prefix,
                purpose=Purpose(purpose),
                digits=digits,
                source=source,
                valid_from=begins,
                valid_until=ends,
                is_evidence=is_evidence,
                law=law,
                note=note,
                is_own=is_own,
            )
            for prefix in _prefixes(table.get("prefix"), calling_code)
        ]

    def _source_named(self, key: str, name: Any) -> PlanSource | None:
        if name is None:
            return None
        if not isinstance(name, str) or name not in self._sources:
            known = ", ".join(sorted(self._sources)) or "none"
            raise _Wrong(
                Wording(
                    "{key}: there is no [[source]] named {value} (known: {known}): add a [[source]] with this name "
                    "above it",
                    {"key": key, "value": _shown(name), "known": known},
                )
            )
        return self._sources[name]


def _overlaps(rows: Sequence[PlanRow]) -> Iterator[Wording]:
    """Yield an error for each pair of rows that contradict each other about the same number at the same time."""
    by_prefix: dict[str, list[PlanRow]] = {}
    for row in rows:
        others = by_prefix.setdefault(row.prefix, [])
        if len(others) == MAX_SAME:
            yield Wording(
                "prefix {prefix} has more than {most} rows: remove rows that have ended",
                {"prefix": row.prefix, "most": MAX_SAME},
            )
        for other in others[:MAX_SAME]:
            at_once = row.begins_at < other.ends_at and other.begins_at < row.ends_at
            if at_once and (row.digits & other.digits or row.digits == other.digits):
                yield Wording(
                    "prefix {prefix} has two rows for the same days and digits: remove one of them",
                    {"prefix": row.prefix},
                )
        by_prefix[row.prefix].append(row)


def _prefixes(value: Any, calling_code: int | None) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise _Wrong(Wording("prefix must be the first digits of numbers, such as +33162, or a list of such prefixes"))
    for text in texts:
        if not isinstance(text, str) or not _PREFIX.fullmatch(text):
            raise _Wrong(
                Wording(
                    "prefix must be the first digits of numbers, such as +33162, not {value}", {"value": _shown(text)}
                )
            )
        if calling_code is not None and (not text.startswith(f"+{calling_code}") or text == f"+{calling_code}"):
            raise _Wrong(
                Wording(
                    "prefix {text} lacks calling code {calling_code}: begin it with +{calling_code} and a digit",
                    {"text": text, "calling_code": calling_code},
                )
            )
    return texts


def _digits(value: Any) -> frozenset[int]:
    if value is None:
        return frozenset()
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(number) is int and 1 <= number <= 14 for number in numbers):
        raise _Wrong(
            Wording(
                "`digits` must be how many digits follow the calling code, such as 9 or [5, 6], not {value}",
                {"value": _shown(value)},
            )
        )
    return frozenset(numbers)


def _country(value: Any) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise _Wrong(Wording("country must be a code of two letters such as FR, not {value}", {"value": _shown(value)}))
    return value


def _calling_code(value: Any, country: str) -> int:
    if type(value) is not int or not 1 <= value <= 999:
        raise _Wrong(Wording("calling_code must be a number such as 33, not {value}", {"value": _shown(value)}))
    if (known := calling_code_of(country)) not in (0, value):
        raise _Wrong(
            Wording(
                "calling_code of {country} is {known}, not {value}: correct `country` or `calling_code`",
                {"country": country, "known": known, "value": value},
            )
        )
    return value


def _day(key: str, value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime) or not 1900 <= value.year <= 2999:
        raise _Wrong(
            Wording(
                "{key} must be a day such as 2026-01-31, without quotes, not {value}",
                {"key": key, "value": _shown(value)},
            )
        )
    return value


def _boolean(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(Wording("{key} must be true or false, not {value}", {"key": key, "value": _shown(value)}))
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise _Wrong(
            Wording(
                "{key} must be one line of at most {most} characters, not {value}",
                {"key": key, "most": MAX_TEXT, "value": _shown(value)},
            )
        )
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Wrong(Wording("{key} must be a list of strings, not {value}", {"key": key, "value": _shown(value)}))
    return tuple(_text(key, text) for text in value)


def _named(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    first = value[0] if isinstance(value, list) and value else value
    return f" ({_shown(first)})" if isinstance(first, str) else ""


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    printable = "".join(c if c.isprintable() else "?" for c in text[:60])
    return f"{printable!r}" if isinstance(value, str) else printable
