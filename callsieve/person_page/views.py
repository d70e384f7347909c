"""The content of a person's own page: their calls with reasons, lists, settings and devices."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace

from callsieve.calls.history import CallLine, call_lines
from callsieve.calls.spoken_names import of_decisions
from callsieve.changes.describe import ExtensionText
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.settings import Loaded
from policies.reasons import CODES, Reason, Why, why_of
from reputation.model import ListName, Person, PhoneSetting, Verdict
from reputation.store.calls import CallCursor, CallFilter, CallRow, find_calls
from reputation.store.devices import Device, OpenLink, devices_of, links_of
from reputation.store.evidence_rows import live_marks_of
from reputation.store.lists import PersonalEntry, expected_call_of, personal_entries, phone_settings_of
from reputation.store.names import NumberName, names_of_numbers
from reputation.wording import Wording

CALLS = 20
# Reasons that name the callee, as the callee reads them.
YOUR_REASONS: Mapping[str, Wording] = {
    CODES[reason]: words
    for reason, words in {
        Reason.CALLEE_ALLOWS: Wording("you have allowed this caller"),
        Reason.CALLEE_BLOCKS: Wording("you have blocked this caller"),
        Reason.CALLEE_EXPECTS: Wording("you expected a call"),
        Reason.CONTACT_OF_CALLEE: Wording("the caller is one of your contacts"),
        Reason.CALLEE_TALKED: Wording("you have called this number and talked"),
        Reason.QUIET_HOURS: Wording("you have quiet hours, and the caller is a stranger"),
    }.items()
}
# Words in a browser's User-Agent. The first that matches counts.
BROWSERS = {
    "Edg": "Edge",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "SamsungBrowser": "Samsung Internet",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
OF_A_COLLEAGUE = Wording("the settings of the colleague who was called decided this")


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A call for a person. `name`: the caller's name; empty if unknown. `recordings`: of the caller saying their name.

    `listed`: the person's own list with the number, or None. `marked`: the person's mark of the number, or None.
    """

    line: CallLine
    name: str
    listed: ListName | None
    marked: Verdict | None
    person: str
    recordings: tuple[str, ...] = ()

    @property
    def call(self) -> CallRow:
        """The decision, and how the call ended."""
        return self.line.call

    @property
    def why(self) -> Why | Wording:
        """The reason of the decision. If a colleague's own settings decided, only this is said."""
        why = why_of(self.call.reason)
        is_of_colleague = self.call.callee not in (None, self.person)
        if is_of_colleague and (why.code in YOUR_REASONS or why.cap is Reason.NOT_SPAM_FOR_CALLEE):
            return OF_A_COLLEAGUE
        return YOUR_REASONS.get(why.code, why) if why.cap is None else why

    @property
    def was_treated(self) -> bool:
        """Whether the policy chose another action than `allow`, even if observe mode left the call unchanged."""
        return self.call.would_be != "allow"


@dataclass(frozen=True, slots=True)
class OwnCalls:
    """A page of a person's calls, latest first, and their phone settings. `older`: the next page's cursor, or None.

    `expects_until`: until when every call for the person rings; None if calls are screened as usual.
    """

    calls: tuple[OwnCall, ...]
    older: CallCursor | None
    settings: frozenset[PhoneSetting]
    expects_until: float | None
    allowed: int
    blocked: int

    @property
    def is_quiet(self) -> bool:
        """Whether the person's quiet hours are on."""
        return PhoneSetting.QUIET in self.settings

    @property
    def hears_whispers(self) -> bool:
        """Whether the person hears spoken warnings."""
        return PhoneSetting.NO_WHISPER not in self.settings


@dataclass(frozen=True, slots=True)
class ListedNumber:
    """A number on one of the person's lists. `name`: the caller's name, if known."""

    entry: PersonalEntry
    name: str


@dataclass(frozen=True, slots=True)
class OwnLists:
    """A person's allowlist and blocklist."""

    allowed: tuple[ListedNumber, ...]
    blocked: tuple[ListedNumber, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A signed-in person's request for their own page, with CallSieve's settings and the time of the request."""

    person: Person
    loaded: Loaded
    now: float


def own_calls(db: sqlite3.Connection, asked: Asked, after: CallCursor | None) -> OwnCalls:
    """Return a page of the calls that were for the person or rang their phone."""
    person, now = asked.person.extension, asked.now
    rows = find_calls(db, CallFilter(callee=person), after, CALLS + 1)
    lines = call_lines(db, asked.loaded.settings, rows[:CALLS], now)
    names = _names(db, {line.call.caller for line in lines if line.call.caller}, person, now)
    entries = personal_entries(db, person)
    listed = {entry.number: entry.verdict for entry in entries}
    expected = expected_call_of(db, person)
    return OwnCalls(
        calls=tuple(
            replace(_own_call(db, line, person, names, listed), recordings=_recordings(asked, line)) for line in lines
        ),
        older=lines[-1].call.place if len(rows) > CALLS else None,
        settings=frozenset(phone_settings_of(db, person)),
        expects_until=expected.until if expected and expected.until > now else None,
        allowed=sum(entry.verdict is ListName.ALLOW for entry in entries),
        blocked=sum(entry.verdict is ListName.BLOCK for entry in entries),
    )


def own_lists(db: sqlite3.Connection, asked: Asked) -> OwnLists:
    """Return the person's allowlist and blocklist."""
    person = asked.person.extension
    entries = personal_entries(db, person)
    names = _names(db, {entry.number for entry in entries}, person, asked.now)
    shown = [ListedNumber(entry, _name(names, entry.number)) for entry in entries]
    allowed, blocked = (
        tuple(row for row in shown if row.entry.verdict is list_name) for list_name in (ListName.ALLOW, ListName.BLOCK)
    )
    return OwnLists(allowed, blocked)


def device_name(agent: str) -> str:
    """Return a short name for a User-Agent, such as `Safari · iPhone`. An unknown User-Agent is returned unchanged."""
    tables = (BROWSERS, SYSTEMS)
    names = [next((name for mark, name in table.items() if mark in agent), "") for table in tables]
    return " · ".join(filter(None, names)) or agent


def own_devices(db: sqlite3.Connection, asked: Asked) -> list[Device]:
    """Return the person's devices, most recently used first."""
    return devices_of(db, asked.person.extension, asked.now)


class AccessQuery(PageQuery, frozen=True, kw_only=True):
    """A query for the unused links to a person's own page, or for the devices on which the person is signed in."""

    person: ExtensionText


def find_links(db: sqlite3.Connection, context: Context, request: AccessQuery) -> ResultPage[OpenLink]:
    """Return the unused links to a person's own page."""
    links = links_of(db, request.person, context.at)
    return page_from(links, request, lambda link: (link.made_at, link.expires_at), lambda link: link)


def find_devices(db: sqlite3.Connection, context: Context, request: AccessQuery) -> ResultPage[Device]:
    """Return the devices on which a person is signed in to their own page."""
    devices = devices_of(db, request.person, context.at)
    return page_from(devices, request, lambda device: (device.id,), lambda device: device)


def _own_call(
    db: sqlite3.Connection,
    line: CallLine,
    person: str,
    names: Mapping[str, NumberName],
    listed: Mapping[str, ListName],
) -> OwnCall:
    number = line.call.caller
    marks = live_marks_of(db, number, person) if number else []
    marked = next((mark.verdict for mark in marks), None)
    return OwnCall(line, _name(names, number or ""), listed.get(number or ""), marked, person)


def _recordings(asked: Asked, line: CallLine) -> tuple[str, ...]:
    return tuple(path.name for path in of_decisions(asked.loaded.state, [line.call.id]))


def _name(names: Mapping[str, NumberName], number: str) -> str:
    return names[number].name if number in names else ""


def _names(db: sqlite3.Connection, numbers: set[str], person: str, now: float) -> dict[str, NumberName]:
    return names_of_numbers(db, numbers, now, person)
