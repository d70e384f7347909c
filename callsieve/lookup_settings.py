"""`[[lookup]]` of the settings: who is asked about callers whom nobody here knows.

Conditions on a JSON document of somebody else's: `data.score >= 75`, `results[0].spam == true`. Pure.

A path is names joined by dots, each perhaps with `[n]` for an element of a list; then one of six operators and one JSON
value. There are no functions, no wildcards and no patterns, so looking costs as many steps as the path has. What is
missing in the document, or of another type than the value, fulfils no condition.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from callsieve.integration_settings import url_problem
from callsieve.setting_types import Name, Secret, SettingsTable
from reputation.numbers import is_possible_region

MAX_CHARACTERS: Final = 200
MAX_STEPS: Final = 10
MISSING: Final = object()

_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$@-]*")
_STEP = re.compile(rf"({_NAME.pattern})((?:\[[0-9]{{1,4}}\])*)")
_CONDITION = re.compile(r"(?P<path>[^\s=!<>]+)\s*(?P<how>==|!=|>=|<=|>|<)\s*(?P<value>.+)", re.DOTALL)

# The two sides have the same type, and for an order are numbers.
OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

Path = tuple[str | int, ...]


class ConditionError(ValueError):
    """This is no path or no condition. The text says how one is written."""


class JsonCondition(NamedTuple):
    """`how` compares what stands at the path with `value`: a text, a number, true, false or null."""

    path: Path
    how: str
    value: str | int | float | bool | None

    def holds(self, document: object) -> bool:
        """Whether it does in this document."""
        found = value_at(document, self.path)
        if self.how in ("==", "!="):
            return _are_alike(found, self.value) and OPERATORS[self.how](found, self.value)
        return _is_number(found) and OPERATORS[self.how](found, self.value)


def parse_path(text: str) -> Path:
    """`data.results[0].score` as its steps. ConditionError."""
    steps: list[str | int] = []
    for part in text.split("."):
        found = _STEP.fullmatch(part)
        if found is None or len(text) > MAX_CHARACTERS:
            raise ConditionError(f"{text[:40]!r} is no path: write it as data.results[0].score")
        steps += (found[1], *(int(index) for index in re.findall(r"[0-9]+", found[2])))
    if len(steps) > MAX_STEPS:
        raise ConditionError(f"{text[:40]!r} has more than {MAX_STEPS} steps")
    return tuple(steps)


def parse_condition(text: str) -> JsonCondition:
    """`data.score >= 75` as a condition. ConditionError."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None or len(text) > MAX_CHARACTERS:
        raise ConditionError(f"{text[:40]!r} is no condition: write it as data.score >= 75")
    try:
        value = json.loads(found["value"])
    except (ValueError, RecursionError):
        raise ConditionError(f'{found["value"][:40]!r} is no JSON value: write a text in quotes, "high"') from None
    if isinstance(value, dict | list):
        raise ConditionError(f"{found['value'][:40]!r} is not one value: compare with a text, a number, true or null")
    if found["how"] not in ("==", "!=") and not _is_number(value):
        raise ConditionError(f"{found['how']} compares with a number, which {found['value'][:40]!r} is not")
    return JsonCondition(parse_path(found["path"]), found["how"], value)


def value_at(document: object, path: Path) -> object:
    """What stands there; MISSING where nothing does."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or step >= len(document):
                return MISSING
            document = document[step]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return MISSING
    return document


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_alike(found: object, value: object) -> bool:
    """Whether they may be compared: null with anything that is there, all else with its own type."""
    if found is MISSING:
        return False
    return value is None or found is None or (_is_number(found) and _is_number(value)) or type(found) is type(value)


# What is left of the daemon's deadline for reading the store before and after a look-up, and for the answer.
LEFT_OF_DEADLINE_MS = 100

Budget = Annotated[int, msgspec.Meta(ge=10, le=450)]
DailyLimit = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
WatchLimit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Money = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
FreshHours = Annotated[int, msgspec.Meta(ge=1, le=24 * 90)]
MaxAgeDays = Annotated[int, msgspec.Meta(ge=1, le=90)]
Votes = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
ShortText = Annotated[str, msgspec.Meta(max_length=200)]
LongText = Annotated[str, msgspec.Meta(max_length=2000)]
HeaderName = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9-]{1,64})?\Z")]

Problems = Iterator[tuple[str, str]]  # a key, and what is wrong with it


class LookupTable(SettingsTable, frozen=True):
    """Somebody who is asked about callers whom nobody here knows. `cost`: of one request; `daily_spend`: of a day.

    `budget_ms`: how long a call waits for it; `fresh_hours`: after these it is asked again; `max_age_days`: so long
    an answer counts. `watch_limit`: requests a day about our own numbers, beside `daily_limit`; 0: none. `private`: it
    is in our own network, and plain http is allowed.
    """

    name: Name
    kind: Literal["phoneblock", "http"]
    url: LongText = ""
    token: Secret = ""
    auth: Literal["bearer", "basic", "header"] = "bearer"
    header: HeaderName = ""
    send: Literal["hash-prefix", "number"] = "hash-prefix"
    consent: bool = False
    budget_ms: Budget = 120
    daily_limit: DailyLimit = 500
    watch_limit: WatchLimit = 100
    cost: Money = 0.0
    daily_spend: Money = 0.0
    regions: tuple[str, ...] = ()
    fresh_hours: FreshHours = 24
    max_age_days: MaxAgeDays = 14
    spam_votes: Votes = 4
    spam_when: tuple[ShortText, ...] = ()
    ok_when: tuple[ShortText, ...] = ()
    category: ShortText = ""
    categories: dict[ShortText, ShortText] = msgspec.field(default_factory=dict)
    private: bool = False


def lookup_problems(tables: tuple[LookupTable, ...], deadline_ms: int) -> Problems:
    """What the types cannot say of `[[lookup]]`. The first is reported."""
    for table in tables:
        for key, problem in _lookup_problems(table, deadline_ms):
            yield f"lookup '{table.name}'.{key}", problem


def _lookup_problems(table: LookupTable, deadline_ms: int) -> Problems:
    most = deadline_ms - LEFT_OF_DEADLINE_MS
    if table.budget_ms > most:
        yield "budget_ms", f"takes at most {most}: {LEFT_OF_DEADLINE_MS} ms of agi.deadline_ms are left for all else"
    if (table.auth == "header") != bool(table.header):
        yield "header", 'is the name of the header that has the token, with auth = "header"'
    yield from _sending_problems(table)
    yield from _asking_problems(table)
    for region in table.regions:
        if not is_possible_region(region):
            yield "regions", f"{region[:20]!r} is not a region: use two letters such as US, GB or CN"
    if table.cost > 0 and table.daily_spend < table.cost:
        yield "daily_spend", "is needed where a request has a cost: how much may be spent a day, at least one request"
    if table.fresh_hours > 24 * table.max_age_days:
        yield "fresh_hours", "is longer than max_age_days: an answer is asked for again before it counts no more"


def _sending_problems(table: LookupTable) -> Problems:
    """What is sent is a choice that somebody made."""
    if table.kind == "phoneblock" and table.send == "number":
        yield "send", 'PhoneBlock is asked by "hash-prefix": it need not know the number'
    if table.kind == "http" and table.send == "hash-prefix":
        yield "send", 'kind "http" sends the whole number: write send = "number" and consent = true'
    if table.send == "number" and not table.consent:
        yield "consent", "the callers' numbers go to somebody else: true says that this may be"


def _asking_problems(table: LookupTable) -> Problems:
    if table.kind == "phoneblock":
        yield from _phoneblock_problems(table)
        return
    if not ("{number}" in table.url or "{digits}" in table.url):
        yield "url", "needs {number} or {digits} where the number goes"
    yield from _url_problems(table)
    if not (table.spam_when or table.ok_when):
        yield "spam_when", "says what in an answer means spam: data.score >= 75"
    for key, texts in (("spam_when", table.spam_when), ("ok_when", table.ok_when)):
        for text in texts:
            try:
                parse_condition(text)
            except ConditionError as error:
                yield key, str(error)
    if table.category:
        try:
            parse_path(table.category)
        except ConditionError as error:
            yield "category", str(error)


def _phoneblock_problems(table: LookupTable) -> Problems:
    yield from _url_problems(table) if table.url else ()
    if not table.token:
        yield "token", "PhoneBlock answers only with a token: write env:NAME or file:/path"
    for key in ("spam_when", "ok_when", "category", "categories"):
        if getattr(table, key):
            yield key, 'is for kind "http"; PhoneBlock has spam_votes'


def _url_problems(table: LookupTable) -> Problems:
    if "{" in table.url.partition("://")[2].partition("/")[0]:
        yield "url", "the number does not belong in the name of the server"
    elif (wrong := url_problem(table.url.replace("{", "").replace("}", ""), private=table.private)) is not None:
        yield "url", wrong
