"""Parse Asterisk's call detail records (CDRs), as its back ends write them, into outcomes of calls.

A CDR does not say who hung up or whether a message was left. Its talk time begins when anything answers, such as a menu
or voicemail. So CDRs give no hang-up signals. Asterisk's CEL, if enabled, says who hung up and when the phone itself
answered (ChannelEvents).
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from hashlib import blake2b
from typing import NamedTuple

from agi.site import Site
from ami_listener.outcome import disposition_of
from callsieve.replay.history_format import LAST_INSTANT
from reputation.channels import endpoint_of, undescribed_trunk
from reputation.model import CallerKind, Direction, Disposition, EndedBy
from reputation.numbers import caller_of, did_number_of, number_of
from reputation.outcome import OutcomeRecord
from reputation.site_names import own_name

# Source: cdr_csv.c, build_csv_record. Options add columns: loguniqueid, loguserfield, newcdrcolumns (the last three).
CSV_COLUMNS = (
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start"),
    *("answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield"),
    *("peeraccount", "linkedid", "sequence"),
)
LEAST_COLUMNS = 15  # up to the disposition
# Applications that connect the caller with a phone. VoiceMail and menus are not among them.
CONNECTING = frozenset({"dial", "queue", "appdial", "appqueue", "followme", "pickup", "bridge", "page", "confbridge"})
# Applications in which callers wait and hear something, though nothing answers.
WAITING = frozenset({"queue"})
OPEN_CALLS = 5000  # how many other calls may have rows between those of a call
OPEN_ROWS = 100_000  # in total: a damaged or hostile file may put all rows into one call


class ChannelEvents(NamedTuple):
    """CEL events of a call's channels, by channel name.

    `hang_ups`: which channel or dialplan ended each channel (`hangupsource` of the HANGUP event). `talks`: seconds from
    each channel's ANSWER to its HANGUP. `has_ended`: whether the call has a LINKEDID_END event.
    """

    hang_ups: Mapping[str, str]
    talks: Mapping[str, float]
    has_ended: bool = False


NO_EVENTS = ChannelEvents({}, {})

_EPOCH = re.compile(r"(\d{9,10})\.\d+\Z", re.ASCII)
# Prefix of "hangupsource" if the dialplan ended a channel, by Hangup() or at the end of an extension.
_DIALPLAN = "dialplan/"
# FreePBX: Local/FMPR-201@from-internal (follow me), Local/201@from-queue (queues).
_LOCAL = re.compile(r"Local/(?:[A-Z]+-)?(\d{2,6})@", re.ASCII)
_CLID = re.compile(r"[^<]*<([^<>]*)>")
_TEXT = 64


@dataclass(frozen=True, slots=True)
class CdrRow:
    """A CDR. `call`: its linkedid, else its uniqueid, else a hash of the row. Times are UTC seconds.

    `is_callers`: whether the CDR is about the channel that began the call, and so was written after this channel's end.
    """

    call: str
    at: float
    src: str
    dst: str
    channel: str
    dstchannel: str
    app: str
    duration: float
    talk: float
    disposition: Disposition
    did: str = ""
    is_callers: bool = False

    @property
    def began_at(self) -> float:
        """Start time of the whole call, taken from its linkedid."""
        at = instant_in(self.call)
        return self.at if at is None else at


@dataclass(frozen=True, slots=True)
class Sides:
    """How to tell phones from trunks. `site`: the trunks, each with the region that its national numbers belong to."""

    trunk_of: Callable[[str], str | None]
    site: Site = field(default_factory=Site)
    phones: frozenset[str] = frozenset()

    def trunk(self, channel: str) -> str | None:
        """Return the trunk of a channel: a trunk in the settings, or an endpoint that does not look like a phone."""
        if not channel or channel.startswith("Local/"):
            return None
        described = self.trunk_of(channel)
        return described if described is not None else undescribed_trunk(channel, self.phones)

    def phone(self, channel: str) -> str | None:
        """Return a channel's phone: its endpoint or, for a Local channel (of a queue or follow me), the extension."""
        if local := _LOCAL.match(channel):
            return own_name(local[1])
        if not channel or channel.startswith("Local/") or self.trunk(channel) is not None:
            return None
        return endpoint_of(channel)


def parse_row(fields: Mapping[str, str], zone: tzinfo | None) -> CdrRow | None:
    """Parse a CDR from its fields, with Asterisk's or FreePBX's names. Return None if the fields are not a CDR.

    The time is taken from the uniqueid if possible. Other times in a CDR have no zone: they are read in `zone`, or in
    this server's zone if `zone` is None.
    """
    disposition = disposition_of(fields.get("disposition", ""))
    unique = fields.get("uniqueid", "").strip()
    at = _instant(unique, fields.get("start") or fields.get("calldate") or "", zone)
    duration, talk = _seconds(fields.get("duration", "")), _seconds(fields.get("billsec", ""))
    if disposition is None or at is None or duration is None or talk is None:
        return None
    call = fields.get("linkedid", "").strip() or unique
    return CdrRow(
        call=call[:_TEXT] or _name_of(fields),
        at=at,
        src=fields.get("src", "").strip() or _number_in(fields.get("clid", "")),
        dst=fields.get("dst", "").strip(),
        channel=fields.get("channel", "").strip(),
        dstchannel=fields.get("dstchannel", "").strip(),
        app=fields.get("lastapp", "").strip().lower(),
        duration=duration,
        talk=talk,
        disposition=disposition,
        did=fields.get("did", "").strip(),
        is_callers=bool(unique) and call == unique,
    )


def fields_of_csv(record: list[str]) -> dict[str, str] | None:
    """Return the fields of a line of Master.csv by name; None if the line has too few fields."""
    return dict(zip(CSV_COLUMNS, record, strict=False)) if len(record) >= LEAST_COLUMNS else None


class OpenCalls:
    """An iterator over the calls in CDRs. A few rows of other calls may stand between the rows of one call."""

    def __init__(self, rows: Iterable[CdrRow]) -> None:
        self._rows = iter(rows)
        self._waiting: OrderedDict[str, list[CdrRow]] = OrderedDict()
        self._rows_waiting = 0

    @property
    def oldest_at(self) -> float | None:
        """Start time of the oldest call that was read but not yielded yet."""
        return min((row.began_at for rows in self._waiting.values() for row in rows), default=None)

    def __iter__(self) -> Iterator[list[CdrRow]]:
        return self

    def __next__(self) -> list[CdrRow]:
        for row in self._rows:
            self._waiting.setdefault(row.call, []).append(row)
            self._waiting.move_to_end(row.call)
            self._rows_waiting += 1
            if len(self._waiting) > OPEN_CALLS or self._rows_waiting > OPEN_ROWS:
                break
        if not self._waiting:
            raise StopIteration
        call = self._waiting.popitem(last=False)[1]
        self._rows_waiting -= len(call)
        return call


def outcomes(rows: Iterable[CdrRow], sides: Sides) -> Iterator[OutcomeRecord]:
    """Yield one outcome per call, roughly in the order of the rows. Rows with the same linkedid are one call."""
    for call in OpenCalls(rows):
        yield outcome_of_call(call, sides)


def outcome_of_call(rows: list[CdrRow], sides: Sides, events: ChannelEvents = NO_EVENTS) -> OutcomeRecord:
    """Return the outcome of a call from all its CDRs: one for the caller's channel, and one for each phone."""
    rows = sorted(rows, key=lambda row: row.at)
    first = next((row for row in rows if not row.channel.startswith("Local/")), rows[0])
    direction = _direction(first, rows, sides)
    inbound = direction is Direction.INBOUND
    side = sides.trunk if direction is Direction.OUTBOUND else sides.phone
    trunk = next((trunk for row in rows for c in (row.channel, row.dstchannel) if (trunk := sides.trunk(c))), None)
    region = sides.site.region_of(trunk)
    caller = caller_of(first.src, region) if inbound else None
    answered = _answered_row(rows, side)
    ended_at = max(row.at + row.duration for row in rows)
    talk = _talk(answered, events) if answered else 0.0
    dialled = first.did or first.dst
    parse = {Direction.OUTBOUND: number_of, Direction.INBOUND: did_number_of}.get(direction)  # None for extensions
    number = ((parse and parse(dialled, region)) or dialled[:_TEXT]) if dialled else None
    phones = _phones(rows, sides)
    return OutcomeRecord(
        linkedid=own_name(first.call),
        at=rows[0].at,
        direction=direction,
        disposition=_disposition(rows, answered),
        caller=caller.key if caller else sides.phone(first.channel) or own_name(first.src[:_TEXT]) or None,
        caller_kind=caller.kind if caller else CallerKind.INTERNAL,
        did=number if inbound else None,
        dialled=None if inbound else number,
        trunk=trunk,
        answered_by=sides.phone(answered.dstchannel) if answered and inbound else None,
        rung=phones if inbound else (),
        forked=len(phones),
        ring_seconds=max(
            0.0, answered.at + answered.duration - talk - rows[0].at if answered else ended_at - rows[0].at
        ),
        talk_seconds=talk,
        ended_by=_ended_by(first, answered, events.hang_ups, ended_at),
        answered_by_pbx=inbound and answered is None and any(row.talk > 0 or row.app in WAITING for row in rows),
        source="cdr",
    )


def _talk(answered: CdrRow, events: ChannelEvents) -> float:
    """Return how long the phone was in the call. The CDR's talk time is longer if a menu answered before."""
    talk = events.talks.get(answered.dstchannel, answered.talk)
    return talk if 0 <= talk <= answered.talk else answered.talk


def _ended_by(first: CdrRow, answered: CdrRow | None, hang_ups: Mapping[str, str], ended_at: float) -> EndedBy | None:
    """Return which side hung up. A phone that left while somebody else stayed in the call did not end it.

    Asterisk passes the source of a hang-up on to the other side, but not through a Local channel. So both sides are
    checked. Source: observed with Asterisk 22 for Dial, Dial of a Local channel, Queue, cancelled and timed out calls.
    """
    source = hang_ups.get(first.channel, "")
    if first.channel and source == first.channel:
        return EndedBy.CALLER
    if answered is not None and answered.dstchannel in (source, hang_ups.get(answered.dstchannel)):
        return EndedBy.CALLEE if answered.at + answered.duration >= ended_at - 1 else None
    return EndedBy.SYSTEM if source.startswith(_DIALPLAN) else None


def _phones(rows: list[CdrRow], sides: Sides) -> tuple[str, ...]:
    """Return the phones that rang. A queue's Local channel to 201 and the PJSIP/201 behind it count as one phone."""
    phones = dict.fromkeys(phone for row in rows if (phone := sides.phone(row.dstchannel)))
    extensions = {phone.partition("/")[2] for phone in phones}
    return tuple(phone for phone in phones if phone not in extensions)


def _direction(first: CdrRow, rows: list[CdrRow], sides: Sides) -> Direction:
    if sides.trunk(first.channel) is not None:
        return Direction.INBOUND
    if any(sides.trunk(row.dstchannel) is not None for row in rows):
        return Direction.OUTBOUND
    return Direction.INTERNAL


def _answered_row(rows: list[CdrRow], side: Callable[[str], str | None]) -> CdrRow | None:
    """Return the answered CDR for whose called channel `side` returns a phone or, for outgoing calls, a trunk."""
    # Local channels are chosen only if there is no other channel.
    answered = [
        row
        for row in rows
        if row.disposition is Disposition.ANSWERED and row.app in CONNECTING and side(row.dstchannel)
    ]
    return max(answered, key=lambda row: (not row.dstchannel.startswith("Local/"), row.talk), default=None)


def _disposition(rows: list[CdrRow], answered: CdrRow | None) -> Disposition:
    if answered is not None:
        return Disposition.ANSWERED
    seen = {row.disposition for row in rows}
    if Disposition.ANSWERED in seen:
        return Disposition.FAILED
    order = (Disposition.NO_ANSWER, Disposition.BUSY)
    return next((disposition for disposition in order if disposition in seen), Disposition.FAILED)


def instant_in(unique: str) -> float | None:
    """Return a channel's creation time in UTC seconds, from its uniqueid such as `1767258007.15`."""
    match = _EPOCH.search(unique)
    return float(match[1]) if match else None


def _instant(unique: str, text: str, zone: tzinfo | None) -> float | None:
    at = instant_in(unique)
    try:
        if at is None:
            moment = datetime.fromisoformat(text.strip())
            at = (moment if moment.tzinfo or zone is None else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):  # the year 1 cannot be converted from every zone
        return None
    return at if 0 <= at <= LAST_INSTANT else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text.strip() or 0)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e7 else None


def _number_in(clid: str) -> str:
    match = _CLID.match(clid)
    return (match[1] if match else clid).strip()


def _name_of(fields: Mapping[str, str]) -> str:
    # The same row always gets the same name, so importing it again changes nothing.
    content = "\0".join(f"{name}={fields[name]}" for name in sorted(fields))
    return f"cdr-{blake2b(content.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
