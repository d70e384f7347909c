"""Evidence packs: the request, the platforms that accept packs, and the contents of a pack except its calls.

The operation `announce` (callsieve/changes/operation.py) records a pack in the audit before any data is read. Then
archive.py writes the pack outside any transaction, because reading the calls takes long.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import NumberText, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.own_numbers.operations import registered
from callsieve.settings import Company, Outbound, Settings, TrunkTable
from callsieve.signing.keys import KeyFileError, SigningKey, signing_key
from callsieve.text.file_kinds import document_kind_of
from callsieve.text.times import day
from policies.files import nearest
from reputation.model import Identity
from reputation.own.daily_counts import FiguresWindow, OwnDay, sums_of
from reputation.own.health import NumberHealth
from reputation.own.register import NumberState, OwnNumber
from reputation.store.appeals import appeals_of
from reputation.store.do_not_call import Complaint, complaints_about, count_do_not_call, do_not_call_of, requests_after
from reputation.store.identities import identity_of
from reputation.store.own_days import days_of
from reputation.store.own_health import own_health
from reputation.store.own_labels import Screenshot, screenshots_of
from reputation.store.public_appeals import attachments_of
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

EPOCH = date(1970, 1, 1)
MOST_SCREENSHOTS = 10  # the latest, of at most 2 MB each


@dataclass(frozen=True, slots=True)
class Document:
    """A document about the owner of the number. `digest`: SHA-256 of its file, in hex; empty if only its name is known.

    `role`: `authorisation` or `assignment` if the document proves the right to use the number, otherwise empty.
    """

    name: str
    added_at: float | None = None
    size: int | None = None
    digest: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class HandledComplaint:
    """A complaint. `unlisted_at`: when its sender was put on the do-not-call list; None for never or if unknown."""

    complaint: Complaint
    unlisted_at: float | None


@dataclass(frozen=True, slots=True)
class Week:
    """An ISO 8601 week of calls, such as `2026-W49`. `sums`: the counts of calls, summed over the days of the week."""

    label: str
    sums: FiguresWindow


@dataclass(frozen=True, slots=True)
class PackContents:
    """The contents of a pack, without the calls.

    Attributes:
        calls_since: When the table of single calls begins. The store does not keep older calls.
        wishes: How many people were called from this number and then asked not to be called again.
        do_not_call: How many numbers are on the whole do-not-call list.
        screenshots: Pictures of the labels that platforms showed.
        recipient: The carrier that gets unmasked numbers, or empty.
    """

    own: OwnNumber
    identity: Identity | None
    since: float
    until: float
    calls_since: float
    health: NumberHealth
    days: tuple[OwnDay, ...]
    weeks: tuple[Week, ...]
    total: FiguresWindow
    complaints: tuple[HandledComplaint, ...]
    wishes: int
    do_not_call: int
    guard: Outbound
    documents: tuple[Document, ...]
    screenshots: tuple[Screenshot, ...]
    company: Company
    trunks: tuple[TrunkTable, ...]
    recipient: str = ""


def contents_of(
    db: sqlite3.Connection, number: str, days: int, now: float, settings: Settings, documents: Sequence[Document] = ()
) -> PackContents:
    """Return a pack's contents for the last `days` days. Raise Refused if the number is not registered."""
    own = registered(db, number)
    since = now - days * DAY_SECONDS
    health = own_health(db, number, now, settings.reputation)
    first = int(since // DAY_SECONDS)
    # The health knows which calls of its days a machine answered. Older days are as they were counted.
    by_day = {day.day: day for day in days_of(db, number, first)}
    by_day |= {day.day: day for day in health.facts.days if day.day >= first}
    counted = tuple(by_day[day] for day in sorted(by_day))
    return PackContents(
        own=own,
        identity=identity_of(db, number),
        since=since,
        until=now,
        calls_since=max(since, now - OUTCOME_DAYS * DAY_SECONDS),
        health=health,
        days=counted,
        weeks=_weeks(counted),
        total=sums_of(counted),
        complaints=tuple(_handled(db, complaint) for complaint in complaints_about(db, number, since)),
        wishes=len(requests_after(db, number, since)),
        do_not_call=count_do_not_call(db),
        guard=settings.outbound,
        documents=(*(Document(name) for name in own.documents), *_of_appeals(db, number), *documents),
        screenshots=tuple(reversed(screenshots_of(db, number, since, MOST_SCREENSHOTS))),
        company=settings.company,
        trunks=settings.trunk,
    )


def _weeks(days: Sequence[OwnDay]) -> tuple[Week, ...]:
    by_week: dict[str, list[OwnDay]] = {}
    for own_day in days:
        year, week, _ = (EPOCH + timedelta(days=own_day.day)).isocalendar()
        by_week.setdefault(f"{year}-W{week:02d}", []).append(own_day)
    return tuple(Week(label, sums_of(of_week)) for label, of_week in by_week.items())


def _handled(db: sqlite3.Connection, complaint: Complaint) -> HandledComplaint:
    request = do_not_call_of(db, complaint.number) if complaint.number else None
    return HandledComplaint(complaint, request.at if request else None)


def _of_appeals(db: sqlite3.Connection, number: str) -> list[Document]:
    attachments = (
        attachment for appeal in appeals_of(db, number) for attachment in attachments_of(db, appeal.reference)
    )
    return [
        Document(attachment.name, attachment.added_at, attachment.size, attachment.digest) for attachment in attachments
    ]


Part = Literal["", "facts", "calls", "figures", "complaints", "practice", "documents", "screenshots"]


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A requirement of a platform that accepts evidence packs."""

    en: Annotated[str, Meta(description="The requirement.")]
    zh: Annotated[str, Meta(description="The requirement in Chinese.")]
    part: Annotated[
        Part, Meta(description="The part of the pack that fulfils the requirement; empty if you must add a document.")
    ]
    proof: Annotated[
        Literal["platform", "others", "unverified"], Meta(description="The party that can verify the requirement.")
    ]
    source: Annotated[str, Meta(description="The web page with this requirement.")]

    def words(self, language: str) -> str:
        """Return the requirement in a language."""
        return self.zh if language == "zh" else self.en


class Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A platform that accepts evidence packs."""

    name: Annotated[str, Meta(description="The name of the platform.")]
    title: Annotated[str, Meta(description="The title of the platform.")]
    title_zh: Annotated[str, Meta(description="The title in Chinese.")]
    kind: Annotated[
        Literal["carrier", "label", "registration"],
        Meta(description="The kind of letter at the beginning of the pack."),
    ]
    read: Annotated[date, Meta(description="The day on which the platform's pages were read.")]
    address: Annotated[str, Meta(description="Where the pack is handed in; empty where no address is known.")]
    asks: Annotated[tuple[Ask, ...], Meta(description="The platform's requirements for a pack.")]

    def words(self, language: str) -> str:
        """Return the title of the platform in this language."""
        return self.title_zh if language == "zh" else self.title


def find_platforms(_db: sqlite3.Connection, _context: Context, request: PageQuery) -> ResultPage[Platform]:
    """Return the platforms that accept evidence packs, with the requirements of each."""
    return page_from(platforms().values(), request, _place, lambda platform: platform)


def _place(platform: Platform) -> tuple[bool, bool, str]:
    return platform.kind != "carrier", platform.title_zh == platform.title, platform.name


@lru_cache(maxsize=1)
def platforms() -> dict[str, Platform]:
    """Return all platforms, keyed by name, the carrier first. An invalid platform file is a bug and raises an error."""
    by_title = [
        msgspec.toml.decode(entry.read_bytes(), type=Platform)
        for entry in (files("callsieve.evidence_packs") / "platforms").iterdir()
        if entry.name.endswith(".toml")
    ]
    by_title.sort(key=_place)
    return {platform.name: platform for platform in by_title}


LANGUAGES = ("en", "zh")
ROLES = ("", "authorisation", "assignment")
RECIPIENT_CHARACTERS = 100
MOST_DAYS = 180
DEFAULT_DAYS = 90
MOST_FILES = 10
MOST_FILE_BYTES = 10 << 20
IN_MEMORY_BYTES = 1 << 20  # a larger pack is written to the disk before it is sent


def _one_of(*words: str) -> Meta:
    return Meta(pattern=f"^({'|'.join(words)})$", extra_json_schema={"enum": list(words)})


KIND_BY_ENDING = {"pdf": "pdf", "png": "png", "jpg": "jpg", "jpeg": "jpg"}


class AttachedFile(msgspec.Struct, frozen=True):
    """A document that is added to the pack unchanged. `name`: the name of the file, unique in the pack.

    `content`: the content, in Base64. `role`: what the document proves: `authorisation`, `assignment`, or empty.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    content: bytes
    role: Annotated[str, _one_of(*ROLES)] = ""


class PackRequest(msgspec.Struct, frozen=True):
    """A request for an evidence pack. `language`: the language of the document.

    `platform`: the name of the platform, from `GET /evidence-packs/platforms`. `days`: how many past days of calls to
    include. `files`: documents to add to the pack. `unmasked_for`: the carrier that gets unmasked called numbers and
    Call-IDs; empty for nobody.
    """

    number: NumberText
    platform: Annotated[str, Meta(max_length=40)]
    language: Annotated[str, _one_of(*LANGUAGES)] = "en"
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = DEFAULT_DAYS
    files: Annotated[Sequence[AttachedFile], Meta(max_length=MOST_FILES)] = ()
    unmasked_for: Annotated[str, Meta(max_length=RECIPIENT_CHARACTERS)] = ""


class Pack(NamedTuple):
    """An accepted request for an evidence pack, with the signing key. `file_name`: the name of the zip."""

    request: PackRequest
    number: str
    file_name: str
    key: SigningKey


def announce(db: sqlite3.Connection, context: Context, request: PackRequest) -> Pack:
    """Check a request for a pack and record it in the audit, before the pack is written. Raise Refused or OSError."""
    number = number_field(context, request.number)
    _check(request)
    own = registered(db, number)
    if own.state is NumberState.RETIRED:
        raise Refused(
            "retired",
            Wording("{number} is retired: evidence packs are only made for numbers in use", {"number": number}),
        )
    if not own.name:
        raise Refused("no-name", Wording("the number has no registered name: register it with a name first"))
    try:
        key = signing_key(context.loaded.state)
    except KeyFileError as error:
        raise Refused("bad-key", str(error)) from None
    with change(db, context, "own pack", number, request.platform) as changed:
        if request.unmasked_for:
            changed.after = {"unmasked_for": request.unmasked_for}
    name = f"{number.removeprefix('+')}-{request.platform}-{request.language}-{day(context.at)}.zip"
    return Pack(request, number, name, key)


def _check(request: PackRequest) -> None:
    if request.platform not in platforms():
        asked = request.platform[:30]
        hint = nearest(asked, platforms()) or f"; use one of {', '.join(platforms())}"
        places = {"asked": repr(asked), "hint": hint}
        raise Refused("unknown-platform", Wording("unknown value {asked}{hint}", places), "for")
    if request.language not in LANGUAGES:
        raise Refused("unknown-language", Wording("must be en or zh"), "language")
    if not 1 <= request.days <= MOST_DAYS:
        raise Refused("bad-days", Wording("must be 1 to {most}", {"most": MOST_DAYS}), "days")
    recipient = request.unmasked_for
    if recipient and platforms()[request.platform].kind != "carrier":
        words = Wording("only the carrier of the calls may get unmasked numbers")
        raise Refused("not-a-carrier", words, "unmasked-for")
    if recipient != recipient.strip() or not recipient.isprintable() or len(recipient) > RECIPIENT_CHARACTERS:
        words = Wording("enter the recipient on one line of at most {most} characters", {"most": RECIPIENT_CHARACTERS})
        raise Refused("bad-recipient", words, "unmasked-for")
    if len(request.files) > MOST_FILES or len({file.name for file in request.files}) < len(request.files):
        words = Wording("at most {most} files, each with a different name", {"most": MOST_FILES})
        raise Refused("bad-files", words, "document")
    for file in request.files:
        if len(file.content) > MOST_FILE_BYTES or not _is_plain(file.name):
            raise Refused(
                "bad-file",
                Wording("{file} is larger than 10 MB, or its name has special characters", {"file": file.name}),
                "document",
            )
        if file.role not in ROLES:
            raise Refused("unknown-role", Wording("must be authorisation or assignment"), "document")
        ending = file.name.rpartition(".")[2].lower()
        if KIND_BY_ENDING.get(ending, "") not in ("", kind := document_kind_of(file.content)):
            places = {"file": file.name, "kind": kind or "?"}
            words = Wording("{file} has the wrong file extension: its content is {kind}", places)
            raise Refused("other-kind", words, "document")


def _is_plain(name: str) -> bool:
    """Return whether every system can unpack a file with this name, and unpacks it into the expected directory."""
    return name.isprintable() and not set(name) & set("/\\:") and name.strip(". ") != ""
