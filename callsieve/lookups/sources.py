"""The services that can be queried: the request about a number, and the verdict in the answer. Without I/O.

PhoneBlock (API 1.9) gets only the first four hex digits of the number's hash. PhoneBlock answers with all numbers whose
hashes begin with these digits, so it does not learn the number. Other sources get the number itself.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from callsieve.lookup_settings import JsonCondition, LookupTable, Path, parse_condition, parse_path, value_at
from callsieve.settings import Settings
from reputation.numbers import country_of
from reputation.store.lookups import FINE, NOTHING, SPAM, DailyLimits
from reputation.wording import one_line

PHONEBLOCK: Final = "https://phoneblock.net/phoneblock/api"
# 16 of the 160 bits of a SHA-1: the minimum of PhoneBlock, which it recommends.
PREFIX_CHARACTERS: Final = 4
MOST_NUMBERS: Final = 20_000
TEXT_CHARACTERS: Final = 60
MICROS: Final = 1_000_000

# PhoneBlock's ratings of calls -> our categories.
CATEGORY_BY_RATING: Final[Mapping[str, str]] = {
    "D_POLL": "telemarketing",
    "E_ADVERTISING": "telemarketing",
    "F_GAMBLE": "scam",
    "G_FRAUD": "scam",
}


class BadAnswer(ValueError):
    """The error for an answer of a look-up source in an unexpected format."""


class SourceVerdict(NamedTuple):
    """A source's verdict on a number: `spam`, `ok` or `nothing`."""

    verdict: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class OutsideRequest:
    """A GET request to a source. Only its headers contain the token, which is never logged."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class LookupSource(Protocol):
    """A service of the settings (`[[lookup]]`) that can be queried."""

    @property
    def table(self) -> LookupTable:
        """Return the source's settings."""
        ...

    def request_about(self, number: str, token: str) -> OutsideRequest:
        """Return the request about a number."""
        ...

    def parse_answer(self, number: str, status: int, body: bytes) -> SourceVerdict:
        """Return the verdict in an answer. Raise BadAnswer for an unexpected format."""
        ...


def sources_of(settings: Settings) -> list[LookupSource]:
    """Return the sources in the settings, in their order."""
    return [PhoneBlock(table) if table.kind == "phoneblock" else HttpSource(table) for table in settings.lookup]


def covers(table: LookupTable, number: str) -> bool:
    """Return whether the source covers the country of the number."""
    return not table.regions or country_of(number) in {region.upper() for region in table.regions}


def limits_of(table: LookupTable) -> DailyLimits:
    """Return the source's limits of requests and cost per day."""
    return DailyLimits(table.daily_limit, round(MICROS * table.cost), round(MICROS * table.daily_spend))


class _Listed(msgspec.Struct):
    phone: str
    votes: int = 0
    rating: str | None = None
    whiteListed: bool = False  # their spelling
    blackListed: bool = False


class _Bucket(msgspec.Struct):
    numbers: Annotated[list[_Listed], msgspec.Meta(max_length=MOST_NUMBERS)]


_BUCKETS = msgspec.json.Decoder(_Bucket)


def hash_prefix(number: str) -> str:
    """Return the first digits of the number's hash, for PhoneBlock."""
    return hashlib.sha1(number.encode(), usedforsecurity=False).hexdigest()[:PREFIX_CHARACTERS]


@dataclass(frozen=True, slots=True)
class PhoneBlock:
    """The source PhoneBlock. Its API endpoint `check-prefix` gets a part of the hash of the whole number."""

    # For ranges, `check-prefix` also accepts hashes without the last digits. All hashes together reveal the number.

    table: LookupTable

    def request_about(self, number: str, token: str) -> OutsideRequest:
        """Return a request that contains only the first digits of the number's hash and the token."""
        base = (self.table.url or PHONEBLOCK).rstrip("/")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return OutsideRequest(f"{base}/check-prefix?sha1={hash_prefix(number)}", headers)

    def parse_answer(self, number: str, status: int, body: bytes) -> SourceVerdict:
        """Return the verdict on `number`. The answer also lists other numbers with the same hash prefix."""
        if status != 200:
            raise BadAnswer(f"status {status}")
        try:
            listed = next((entry for entry in _BUCKETS.decode(body).numbers if entry.phone == number), None)
        except (msgspec.DecodeError, RecursionError):
            raise BadAnswer("unexpected JSON") from None
        if listed is None:
            return SourceVerdict(NOTHING)
        if listed.whiteListed:
            return SourceVerdict(FINE)
        if listed.blackListed or listed.votes >= self.table.spam_votes:
            return SourceVerdict(SPAM, CATEGORY_BY_RATING.get(listed.rating or ""))
        return SourceVerdict(NOTHING)


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A source that answers a GET request with JSON."""

    table: LookupTable
    _spam: tuple[JsonCondition, ...] = field(init=False, repr=False)
    _fine: tuple[JsonCondition, ...] = field(init=False, repr=False)
    _category: Path | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        table = self.table
        object.__setattr__(self, "_spam", tuple(map(parse_condition, table.spam_when)))
        object.__setattr__(self, "_fine", tuple(map(parse_condition, table.ok_when)))
        object.__setattr__(self, "_category", parse_path(table.category) if table.category else None)

    def request_about(self, number: str, token: str) -> OutsideRequest:
        """Return a request with the number in the URL and the token in a header."""
        digits = number.removeprefix("+")
        url = self.table.url.replace("{number}", quote(number, safe="")).replace("{digits}", digits)
        return OutsideRequest(url, {"Accept": "application/json", **self._authorized(token)})

    def _authorized(self, token: str) -> dict[str, str]:
        if not token:
            return {}
        match self.table.auth:
            case "basic":
                return {"Authorization": f"Basic {b64encode(token.encode()).decode()}"}
            case "header":
                return {self.table.header: token}
            case _:
                return {"Authorization": f"Bearer {token}"}

    def parse_answer(self, _number: str, status: int, body: bytes) -> SourceVerdict:
        """Return `spam` if a condition of `spam_when` holds, `ok` if a condition of `ok_when` holds, else `nothing`."""
        if status == 404:
            return SourceVerdict(NOTHING)
        if status != 200:
            raise BadAnswer(f"status {status}")
        document = _document(body)
        if any(condition.holds(document) for condition in self._spam):
            return SourceVerdict(SPAM, self._category_in(document))
        if any(condition.holds(document) for condition in self._fine):
            return SourceVerdict(FINE)
        return SourceVerdict(NOTHING)

    def _category_in(self, document: object) -> str | None:
        value = value_at(document, self._category) if self._category is not None else None
        if not isinstance(value, str):
            return None
        return one_line(self.table.categories.get(value, value), TEXT_CHARACTERS).lower() or None


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("not JSON") from None
