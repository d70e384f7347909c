"""The settings `[[lookup]]`: services that are queried about unknown callers, and conditions on their JSON answers.

A condition is `data.score >= 75` or `results[0].spam == true`: a path, one of six operators and one JSON value. A path
consists of names joined by dots, each optionally with `[n]` for an element of a list. There are no functions, wildcards
or patterns, so the cost of a test depends only on the length of the path. If the value is missing or has another type,
the condition does not hold.
"""

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
    """Raised if a text is not a path or condition. The message shows how to write one."""


class JsonCondition(NamedTuple):
    """A condition on a JSON document: the operator `how` compares the value at the path with `value`."""

    path: Path
    how: str
    value: str | int | float | bool | None

    def holds(self, document: object) -> bool:
        """Return whether the condition holds in this document."""
        actual = value_at(document, self.path)
        if self.how in ("==", "!="):
            return _are_alike(actual, self.value) and OPERATORS[self.how](actual, self.value)
        return _is_number(actual) and OPERATORS[self.how](actual, self.value)


def parse_path(text: str) -> Path:
    """Parse a path such as `data.results[0].score` into its steps. Raise ConditionError if it has another form."""
    steps: list[str | int] = []
    for part in text.split("."):
        match = _STEP.fullmatch(part)
        if match is None or len(text) > MAX_CHARACTERS:
            raise ConditionError(f"{text[:40]!r} is not a path: write it like data.results[0].score")
        steps += (match[1], *(int(index) for index in re.findall(r"[0-9]+", match[2])))
    if len(steps) > MAX_STEPS:
        raise ConditionError(f"the path {text[:40]!r} has more than {MAX_STEPS} steps")
    return tuple(steps)


def parse_condition(text: str) -> JsonCondition:
    """Parse a condition such as `data.score >= 75`. Raise ConditionError if it has another form."""
    match = _CONDITION.fullmatch(text.strip())
    if match is None or len(text) > MAX_CHARACTERS:
        raise ConditionError(f"{text[:40]!r} is not a condition: write it like data.score >= 75")
    try:
        value = json.loads(match["value"])
    except (ValueError, RecursionError):
        raise ConditionError(
            f'{match["value"][:40]!r} is not a JSON value: write texts in quotes, such as "high"'
        ) from None
    if isinstance(value, dict | list):
        raise ConditionError(
            f"{match['value'][:40]!r} is not a single value: compare with a text, a number, true, false or null"
        )
    if match["how"] not in ("==", "!=") and not _is_number(value):
        raise ConditionError(f"{match['how']} needs a number, not {match['value'][:40]!r}")
    return JsonCondition(parse_path(match["path"]), match["how"], value)


def value_at(document: object, path: Path) -> object:
    """Return the value at the path, or MISSING."""
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


def _are_alike(actual: object, value: object) -> bool:
    if actual is MISSING:
        return False
    return value is None or actual is None or (_is_number(actual) and _is_number(value)) or type(actual) is type(value)


# The part of the daemon's deadline that is kept for reading the store and for the answer.
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
    """A service that is queried about unknown callers and, if `watch_limit` allows it, about our own numbers.

    Attributes:
        cost: The price of a request.
        daily_spend: The most to spend on requests per day, in the currency of `cost`.
        budget_ms: How long a call waits for the answer.
        fresh_hours: The age at which an answer is fetched again.
        max_age_days: How long an answer counts as evidence.
        watch_limit: How many requests about our own numbers are allowed each day, apart from `daily_limit`; 0: none.
        private: Whether the service is in our own network, where plain http is allowed.
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
    """Yield each invalid key of [[lookup]] with its error."""
    for table in tables:
        for key, problem in _lookup_problems(table, deadline_ms):
            yield f"lookup '{table.name}'.{key}", problem


def _lookup_problems(table: LookupTable, deadline_ms: int) -> Problems:
    most = deadline_ms - LEFT_OF_DEADLINE_MS
    if table.budget_ms > most:
        yield (
            "budget_ms",
            f"must be at most {most}: the decision itself needs {LEFT_OF_DEADLINE_MS} ms of `agi.deadline_ms`",
        )
    if (table.auth == "header") != bool(table.header):
        yield "header", 'must name the header for the token if auth = "header", and must be empty otherwise'
    yield from _sending_problems(table)
    yield from _asking_problems(table)
    for region in table.regions:
        if not is_possible_region(region):
            yield "regions", f"{region[:20]!r} is not a region: use two letters such as US, GB or CN"
    if table.cost > 0 and table.daily_spend < table.cost:
        yield "daily_spend", "required because `cost` is set: the most to spend per day, at least one `cost`"
    if table.fresh_hours > 24 * table.max_age_days:
        yield "fresh_hours", "must not be longer than `max_age_days`: an answer must be renewed before it expires"


def _sending_problems(table: LookupTable) -> Problems:
    if table.kind == "phoneblock" and table.send == "number":
        yield "send", 'must be "hash-prefix" for PhoneBlock, which does not need the whole number'
    if table.kind == "http" and table.send == "hash-prefix":
        yield "send", 'must be "number" for kind "http", which sends the whole number; also write consent = true'
    if table.send == "number" and not table.consent:
        yield "consent", "callers' numbers would be sent to this service: write consent = true to allow it"


def _asking_problems(table: LookupTable) -> Problems:
    if table.kind == "phoneblock":
        yield from _phoneblock_problems(table)
        return
    if not ("{number}" in table.url or "{digits}" in table.url):
        yield "url", "must contain {number} or {digits} in the place of the number"
    yield from _url_problems(table)
    if not (table.spam_when or table.ok_when):
        yield "spam_when", "required: a condition for answers that mean spam, such as data.score >= 75"
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
        yield "token", "required: PhoneBlock answers only with a token: write env:NAME or file:/path"
    for key in ("spam_when", "ok_when", "category", "categories"):
        if getattr(table, key):
            yield key, 'is only for kind "http"; for PhoneBlock use `spam_votes`'


def _url_problems(table: LookupTable) -> Problems:
    if "{" in table.url.partition("://")[2].partition("/")[0]:
        yield "url", "{number} and {digits} must not be part of the server name"
    elif (wrong := url_problem(table.url.replace("{", "").replace("}", ""), private=table.private)) is not None:
        yield "url", wrong
