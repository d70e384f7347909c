"""Our own history of calls and marks, one JSON object a line (docs/commands.md). A bad line costs that line.

    events_of(stream, history, site) -> PastCall | Mark ...

Whoever wrote the file is not trusted: lines, texts and numbers are bounded, and nothing in it can steer a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO

import msgspec

from agi.parsing import did_of
from agi.site import Site
from callsieve.replay.history_format import (
    ATTESTATION,
    ENDED_BY,
    MISSED,
    VERIFICATION,
    Inbound,
    Marked,
    OutboundEvent,
    Told,
)
from callsieve.text.csv_table import EMPTY_LINES, KEPT_PROBLEMS, RowProblem
from reputation.model import (
    Attestation,
    AuthClass,
    CallerKind,
    Direction,
    Disposition,
    Mark,
    Verdict,
    Verification,
    auth_class_of,
)
from reputation.numbers import caller_of, number_of
from reputation.outcome import OutcomeRecord, Record

LINE_BYTES = 64 * 1024  # below what the csv module takes as one field
SOURCE = "history"
KEPT_DIDS = 4096  # of ours, as trunks write them: nearly every line has one of a few

# Until Python 3.12 a member costs ten times as much as a global name.
INBOUND, ANSWERED, VERIFIED = Direction.INBOUND, Disposition.ANSWERED, Verification.PASSED

TOO_LONG = f"is longer than {LINE_BYTES // 1024} kB"
NO_NUMBER = "a mark of what is no telephone number"


class PastCall(Record, frozen=True):
    """A call of the past: how it ended, and what the network said of it when it began.

    `sampled`: whether it was of the control sample, and went without its warning; None: the history does not say.
    `name`: the name that came with it; None where nobody wrote that down. `carrier_counts`: whether a carrier's warning
    in its place is evidence.
    """

    outcome: OutcomeRecord
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    trusted: bool = False
    sampled: bool | None = None
    name: str | None = None
    carrier_counts: bool = False


Event = PastCall | Mark


def at_of(event: Event) -> float:
    """When it began."""
    return event.at if isinstance(event, Mark) else event.outcome.at


class EmptyLines(ValueError):
    """Far more lines are empty than not. The text says so, without the name of the file."""


@dataclass(slots=True)
class HistoryReader:
    """How far a file is read. `line` is that of the last row, 0 in a database; `problems` keeps the first ten."""

    read: int = 0
    skipped: int = 0
    bytes_read: int = 0
    line: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    def refuse(self, problem: str) -> None:
        """The row that was read last is passed over."""
        self.skipped += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(RowProblem(self.line, problem) if self.line else RowProblem(self.read, problem, "row"))


def events_of(stream: BinaryIO, reading: HistoryReader, site: Site) -> Iterator[Event]:
    """The events of the lines, as they stand. Marks have the class `unknown`: who reads on knows that of their call.

    Attestation A without a word about verification counts as verified.
    """
    trunks = {trunk.name: trunk for trunk in site.trunks}
    for line in lines_of(stream, reading):
        reading.read += 1
        try:
            told = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            reading.refuse(str(error))
            continue
        if not _is_plain(line) and (name := _unprintable(told)):
            reading.refuse(f"{name} holds characters that cannot be shown")
            continue
        if isinstance(told, Marked):
            mark = _mark_from(told, site.region)
            if mark is None:
                reading.refuse(NO_NUMBER)
            else:
                yield mark
            continue
        trunk = trunks.get(told.trunk) if isinstance(told, Inbound) and told.trunk else None
        if isinstance(told, Inbound):
            is_trusted = trunk is not None and trunk.trusted if told.trusted is None else told.trusted
            call = _inbound_from(told, trunk.region if trunk else site.region, trusted=is_trusted)
            counts = trunk is not None and trunk.verstat if told.verstat is None else told.verstat
            yield call._replace(carrier_counts=is_trusted or counts) if told.name else call
        else:
            yield PastCall(_outbound_from(told, site.region))


_decoder: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)

# What the network said is read by the number module, which copes with anything, and is shown nowhere.
_FROM_THE_NETWORK = frozenset({"caller", "number", "name"})


def lines_of(stream: BinaryIO, reading: HistoryReader) -> Iterator[bytes]:
    """Line by line, but for empty ones; one that is too long is refused without being kept. EmptyLines."""
    while line := stream.readline(LINE_BYTES):
        reading.line += 1
        reading.bytes_read += len(line)
        if len(line) == LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                reading.bytes_read += len(rest)
            reading.bytes_read += len(rest)
            reading.read += 1
            reading.refuse(TOO_LONG)
        elif line.strip():
            yield line
        elif (empty := reading.line - reading.read) > EMPTY_LINES + reading.read:
            raise EmptyLines(
                f"line {reading.line}: {empty:,} lines are empty: this is no history; remove them (grep .)"
            )


def _is_plain(line: bytes) -> bool:
    """Whether no text of the line can hold anything but printable ASCII: JSON writes controls with a backslash."""
    return line.isascii() and b"\\" not in line and b"\x7f" not in line


def _unprintable(told: Told) -> str:
    """The first field whose text is not printable; empty when there is none."""
    for name in told.__struct_fields__:
        value = getattr(told, name)
        text = "".join(value) if isinstance(value, tuple) else value
        if isinstance(text, str) and name not in _FROM_THE_NETWORK and not text.isprintable():
            return name
    return ""


_did_of = lru_cache(maxsize=KEPT_DIDS)(did_of)


def _inbound_from(told: Inbound, region: str, *, trusted: bool) -> PastCall:
    caller = caller_of(told.caller or "", region)
    kind = caller.kind if caller.key or told.caller_kind is None else told.caller_kind
    attestation = ATTESTATION[told.attestation]
    is_verified = told.attestation == "A" and not told.verification
    verification = VERIFIED if is_verified else VERIFICATION[told.verification]
    outcome = OutcomeRecord(
        linkedid=told.call,
        at=told.at,
        direction=INBOUND,
        disposition=ANSWERED if told.answered else MISSED[told.missed],
        caller=caller.key,
        caller_kind=kind,
        did=_did_of(told.did, region) if told.did else None,
        trunk=told.trunk or None,
        answered_by=(told.callee or None) if told.answered else None,
        group=told.callee_group or None,
        queue=told.queue or None,
        rung=((told.callee,) if told.callee else ()) if told.rung is None else told.rung,
        ring_seconds=told.ring_seconds,
        talk_seconds=told.talk_seconds,
        waited_seconds=told.waited_seconds,
        ended_by=ENDED_BY[told.ended_by],
        answered_by_pbx=told.answered_by_pbx,
        voicemail_left=told.voicemail,
        transferred=told.passed_on,
        challenge=told.challenge,
        complete=told.complete,
        source=SOURCE,
        auth_class=auth_class_of(attestation, verification, trusted),
        action=told.shown,
        rang_by=told.rang_by,
    )
    return PastCall(outcome, attestation, verification, trusted, told.sampled, told.name)


def _outbound_from(told: OutboundEvent, region: str) -> OutcomeRecord:
    return OutcomeRecord(
        linkedid=told.call,
        at=told.at,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED if told.answered else Disposition.NO_ANSWER,
        caller=told.caller or None,
        caller_kind=CallerKind.INTERNAL,
        dialled=(number_of(told.callee or "", region) or told.callee or None),
        own_number=(number_of(told.own_number or "", region) or told.own_number or None),
        group=told.caller_group or None,
        ring_seconds=told.ring_seconds,
        talk_seconds=told.talk_seconds,
        waited_seconds=told.waited_seconds,
        ended_by=ENDED_BY[told.ended_by],
        complete=told.complete,
        source=SOURCE,
    )


def _mark_from(told: Marked, region: str) -> Mark | None:
    number = number_of(told.number, region)
    if number is None:
        return None
    return Mark(
        number=number,
        auth_class=AuthClass.UNKNOWN,
        reporter=told.reporter,
        verdict=Verdict.SPAM if told.verdict == "spam" else Verdict.OK,
        at=told.at,
        channel=told.channel,
        group=told.group or None,
        category=(told.category or "").lower() or None,
        linkedid=told.call or None,
        epoch=told.epoch,
    )
