"""Asterisk's call detail records: from rows, as its back ends write them, to outcomes. Pure.

    parse_row(fields, zone) -> CdrRow | None        fields by name, see fields_of_csv
    outcomes(rows, sides) -> OutcomeRecord ...      one a call: the rows of one linkedid are one call

A CDR does not know who hung up nor whether a message was left, and its talk begins when anything answered, a menu or a
voicemail too: so no hang-up signal is drawn from it, and nothing where no phone of ours is named. Who hung up is in
CEL, where that is kept too, and when the phone itself answered (ChannelEvents).
"""

from __future__ import annotations

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

# cdr_csv.c, build_csv_record: the last two by loguniqueid and loguserfield, then three with newcdrcolumns.
CSV_COLUMNS = (
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start"),
    *("answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield"),
    *("peeraccount", "linkedid", "sequence"),
)
LEAST_COLUMNS = 15  # up to the disposition
# Applications that connect the caller with a phone. What VoiceMail or a menu answered is no talk with anybody.
CONNECTING = frozenset({"dial", "queue", "appdial", "appqueue", "followme", "pickup", "bridge", "page", "confbridge"})
# Where callers wait and hear something, though nothing answers.
WAITING = frozenset({"queue"})
OPEN_CALLS = 5000  # rows of one call lie this close together
OPEN_ROWS = 100_000  # of all those calls: a damaged or a hostile file may have all its rows of one


class ChannelEvents(NamedTuple):
    """What CEL tells of a call's channels, by their names.

    `hang_ups`: the "hangupsource" of HANGUP, which is the channel, or the dialplan, that ended this one.
    `talks`: seconds from ANSWER to HANGUP. `has_ended`: that there was LINKEDID_END.
    """

    hang_ups: Mapping[str, str]
    talks: Mapping[str, float]
    has_ended: bool = False


NO_EVENTS = ChannelEvents({}, {})

_EPOCH = re.compile(r"(\d{9,10})\.\d+\Z", re.ASCII)
# What ended a channel, as CEL has it, where that was the dialplan: Hangup(), or the end of an extension.
_DIALPLAN = "dialplan/"
# FreePBX: Local/FMPR-201@from-internal (follow me), Local/201@from-queue (queues).
_LOCAL = re.compile(r"Local/(?:[A-Z]+-)?(\d{2,6})@", re.ASCII)
_CLID = re.compile(r"[^<]*<([^<>]*)>")
_TEXT = 64


@dataclass(frozen=True, slots=True)
class CdrRow:
    """One CDR. `call` is its linkedid, else its uniqueid, else a name made of its content; instants are UTC seconds.

    `is_callers`: it is of the channel that began the call. Asterisk writes that when the channel is gone.
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
        """When the whole call began: its linkedid tells, also to who has not read its first rows."""
        at = instant_in(self.call)
        return self.at if at is None else at


@dataclass(frozen=True, slots=True)
class Sides:
    """How to tell our phones from trunks: the trunks that are described, and the phones that are known.

    `site`: in which region each trunk writes national numbers.
    """

    trunk_of: Callable[[str], str | None]
    site: Site = field(default_factory=Site)
    phones: frozenset[str] = frozenset()

    def trunk(self, channel: str) -> str | None:
        """The trunk that a channel is of: one described, else its endpoint where that looks like no phone of ours."""
        if not channel or channel.startswith("Local/"):
            return None
        described = self.trunk_of(channel)
        return described if described is not None else undescribed_trunk(channel, self.phones)

    def phone(self, channel: str) -> str | None:
        """The phone of ours that a channel is of: its endpoint, for which the store knows the person; of a Local
        channel, which rings a phone for somebody else, the extension.
        """
        if local := _LOCAL.match(channel):
            return own_name(local[1])
        if not channel or channel.startswith("Local/") or self.trunk(channel) is not None:
            return None
        return endpoint_of(channel)


def parse_row(fields: Mapping[str, str], zone: tzinfo | None) -> CdrRow | None:
    """A CDR from its fields by name (those of FreePBX too); None for what is none.

    The instant is that of the uniqueid where it has one, because the text of a CDR says no time zone: it is `zone`'s,
    or for None this machine's.
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
    """The fields of a line of Master.csv, by name; None for a line that has too few."""
    return dict(zip(CSV_COLUMNS, record, strict=False)) if len(record) >= LEAST_COLUMNS else None


class OpenCalls:
    """The rows of each call together, as an iterator. They need not be neighbours, only near each other."""

    def __init__(self, rows: Iterable[CdrRow]) -> None:
        self._rows = iter(rows)
        self._waiting: OrderedDict[str, list[CdrRow]] = OrderedDict()
        self._rows_waiting = 0

    @property
    def oldest_at(self) -> float | None:
        """When the first of the calls began that are still to come, of those that rows were read of."""
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
    """One outcome a call, about in the order of the rows."""
    for call in OpenCalls(rows):
        yield outcome_of_call(call, sides)


def outcome_of_call(rows: list[CdrRow], sides: Sides, events: ChannelEvents = NO_EVENTS) -> OutcomeRecord:
    """The outcome of a call from all its rows: the first is the caller's own, others are of single phones."""
    rows = sorted(rows, key=lambda row: row.at)
    first = next((row for row in rows if not row.channel.startswith("Local/")), rows[0])
    direction = _direction(first, rows, sides)
    inbound = direction is Direction.INBOUND
    side = sides.trunk if direction is Direction.OUTBOUND else sides.phone
    trunk = next((trunk for row in rows for c in (row.channel, row.dstchannel) if (trunk := sides.trunk(c))), None)
    region = sides.site.region_of(trunk)
    caller = caller_of(first.src, region) if inbound else None
    taken = _taken(rows, side)
    over = max(row.at + row.duration for row in rows)
    talk = _talk(taken, events) if taken else 0.0
    dialled = first.did or first.dst
    read = {Direction.OUTBOUND: number_of, Direction.INBOUND: did_number_of}.get(direction)  # else it is an extension
    number = ((read and read(dialled, region)) or dialled[:_TEXT]) if dialled else None
    phones = _phones(rows, sides)
    return OutcomeRecord(
        linkedid=own_name(first.call),
        at=rows[0].at,
        direction=direction,
        disposition=_disposition(rows, taken),
        caller=caller.key if caller else sides.phone(first.channel) or own_name(first.src[:_TEXT]) or None,
        caller_kind=caller.kind if caller else CallerKind.INTERNAL,
        did=number if inbound else None,
        dialled=None if inbound else number,
        trunk=trunk,
        answered_by=sides.phone(taken.dstchannel) if taken and inbound else None,
        rung=phones if inbound else (),
        forked=len(phones),
        ring_seconds=max(0.0, taken.at + taken.duration - talk - rows[0].at if taken else over - rows[0].at),
        talk_seconds=talk,
        ended_by=_ended_by(first, taken, events.hang_ups, over),
        answered_by_pbx=inbound and taken is None and any(row.talk > 0 or row.app in WAITING for row in rows),
        source="cdr",
    )


def _talk(taken: CdrRow, events: ChannelEvents) -> float:
    """How long the phone was in the call: a CDR's talk begins with the menu that answered first."""
    talk = events.talks.get(taken.dstchannel, taken.talk)
    return talk if 0 <= talk <= taken.talk else taken.talk


def _ended_by(first: CdrRow, taken: CdrRow | None, hang_ups: Mapping[str, str], over: float) -> EndedBy | None:
    """Who hung up. Asterisk hands the source on to the other side, but not through a Local channel, so each side is
    asked for itself (seen with Asterisk 22: Dial, Dial of a Local channel, Queue, cancelled, timed out).

    A phone that has left while the call went on to somebody else has not ended it.
    """
    source = hang_ups.get(first.channel, "")
    if first.channel and source == first.channel:
        return EndedBy.CALLER
    if taken is not None and taken.dstchannel in (source, hang_ups.get(taken.dstchannel)):
        return EndedBy.CALLEE if taken.at + taken.duration >= over - 1 else None
    return EndedBy.SYSTEM if source.startswith(_DIALPLAN) else None


def _phones(rows: list[CdrRow], sides: Sides) -> tuple[str, ...]:
    """The phones that rang, each once: a queue's Local channel to 201 and PJSIP/201 behind it are one."""
    found = dict.fromkeys(phone for row in rows if (phone := sides.phone(row.dstchannel)))
    seen = {phone.partition("/")[2] for phone in found}
    return tuple(phone for phone in found if phone not in seen)


def _direction(first: CdrRow, rows: list[CdrRow], sides: Sides) -> Direction:
    if sides.trunk(first.channel) is not None:
        return Direction.INBOUND
    if any(sides.trunk(row.dstchannel) is not None for row in rows):
        return Direction.OUTBOUND
    return Direction.INTERNAL


def _taken(rows: list[CdrRow], side: Callable[[str], str | None]) -> CdrRow | None:
    """The row of the phone, or outbound of the trunk, that took the call; a real channel before one of Local's.

    `side`: the phone, or the trunk, that a channel is of.
    """
    taken = [
        row
        for row in rows
        if row.disposition is Disposition.ANSWERED and row.app in CONNECTING and side(row.dstchannel)
    ]
    return max(taken, key=lambda row: (not row.dstchannel.startswith("Local/"), row.talk), default=None)


def _disposition(rows: list[CdrRow], taken: CdrRow | None) -> Disposition:
    """Answered by somebody; what only a machine answered says nothing about the caller, so it is FAILED."""
    if taken is not None:
        return Disposition.ANSWERED
    found = {row.disposition for row in rows}
    if Disposition.ANSWERED in found:
        return Disposition.FAILED
    order = (Disposition.NO_ANSWER, Disposition.BUSY)
    return next((one for one in order if one in found), Disposition.FAILED)


def instant_in(unique: str) -> float | None:
    """When the channel of this uniqueid was made, UTC seconds: `1767258007.15` begins with it."""
    found = _EPOCH.search(unique)
    return float(found[1]) if found else None


def _instant(unique: str, text: str, zone: tzinfo | None) -> float | None:
    at = instant_in(unique)
    try:
        if at is None:
            moment = datetime.fromisoformat(text.strip())
            at = (moment if moment.tzinfo or zone is None else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):  # the year 1 is no instant in every zone
        return None
    return at if 0 <= at <= LAST_INSTANT else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text.strip() or 0)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e7 else None


def _number_in(clid: str) -> str:
    found = _CLID.match(clid)
    return (found[1] if found else clid).strip()


def _name_of(fields: Mapping[str, str]) -> str:
    """The same row has the same name, so importing it again changes nothing."""
    content = "\0".join(f"{name}={fields[name]}" for name in sorted(fields))
    return f"cdr-{blake2b(content.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
