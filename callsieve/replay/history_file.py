"""Read CallSieve's own history of calls and marks, one JSON object per line (docs/reference/history.md).

If a line is invalid, only that line is skipped. The file may be hostile: lines, texts and numbers are bounded, and
displayed texts contain no control characters.
"""

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
    HistoryLine,
    Inbound,
    Marked,
    OutboundEvent,
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

LINE_BYTES = 64 * 1024  # less than the csv module accepts as one field
SOURCE = "history"
KEPT_DIDS = 4096  # a cache of DIDs as trunks write them: nearly every line has one of a few

# Before Python 3.12 a member of an enum is ten times as slow as a global name.
INBOUND, ANSWERED, VERIFIED = Direction.INBOUND, Disposition.ANSWERED, Verification.PASSED

TOO_LONG = f"is longer than {LINE_BYTES // 1024} kB"
NO_NUMBER = "the mark has no valid telephone number"


class PastCall(Record, frozen=True):
    """A past call: how it ended, and what the network sent when it began. `name`: the caller's name, if recorded.

    `sampled`: whether the call was in the control sample, so that its warning was left out; None if unknown.
    `carrier_counts`: whether a carrier's warning in place of the name counts as evidence.
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
    """Return the time at which the event began."""
    return event.at if isinstance(event, Mark) else event.outcome.at


class EmptyLines(ValueError):
    """Raised if almost all lines are empty. The text says so, without the file's name."""


@dataclass(slots=True)
class HistoryReader:
    """Progress of reading a history. `line`: the number of the last line; 0 in a database.

    `problems`: the first ten errors. `kind`: `history`, `store`, `cdr-csv` or `cdr-sqlite`.
    """

    kind: str = ""
    read: int = 0
    skipped: int = 0
    bytes_read: int = 0
    line: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    def refuse(self, problem: str) -> None:
        """Count the last row as skipped. Keep the error if fewer than KEPT_PROBLEMS errors are kept."""
        self.skipped += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(RowProblem(self.line, problem) if self.line else RowProblem(self.read, problem, "row"))


def events_of(stream: BinaryIO, reading: HistoryReader, site: Site) -> Iterator[Event]:
    """Parse the lines and yield their events.

    Marks get the authentication class `unknown`. The replay later gives each mark the class of its call. Attestation A
    without a verification counts as verified.
    """
    trunks = {trunk.name: trunk for trunk in site.trunks}
    for line in lines_of(stream, reading):
        reading.read += 1
        try:
            parsed = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            reading.refuse(str(error))
            continue
        if not _is_plain(line) and (name := _unprintable(parsed)):
            reading.refuse(f"{name} has unprintable characters")
            continue
        if isinstance(parsed, Marked):
            mark = _mark_from(parsed, site.region)
            if mark is None:
                reading.refuse(NO_NUMBER)
            else:
                yield mark
            continue
        trunk = trunks.get(parsed.trunk) if isinstance(parsed, Inbound) and parsed.trunk else None
        if isinstance(parsed, Inbound):
            is_trusted = trunk is not None and trunk.trusted if parsed.trusted is None else parsed.trusted
            call = _inbound_from(parsed, trunk.region if trunk else site.region, trusted=is_trusted)
            counts = trunk is not None and trunk.verstat if parsed.verstat is None else parsed.verstat
            yield call._replace(carrier_counts=is_trusted or counts) if parsed.name else call
        else:
            yield PastCall(_outbound_from(parsed, site.region))


_decoder: msgspec.json.Decoder[HistoryLine] = msgspec.json.Decoder(HistoryLine)

# Texts from the network are parsed by the number module, which accepts anything, and are never shown.
_FROM_THE_NETWORK = frozenset({"caller", "number", "name"})


def lines_of(stream: BinaryIO, reading: HistoryReader) -> Iterator[bytes]:
    """Yield the non-empty lines. Skip lines that are too long. Raise EmptyLines if almost all lines are empty."""
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
                f"line {reading.line}: so far, {empty:,} lines are empty: remove them (grep . FILE > NEW), or check "
                f"that the file is a history"
            )


def _is_plain(line: bytes) -> bool:
    # JSON writes control characters with a backslash, so all texts of a plain line are printable ASCII.
    return line.isascii() and b"\\" not in line and b"\x7f" not in line


def _unprintable(parsed: HistoryLine) -> str:
    for name in parsed.__struct_fields__:
        value = getattr(parsed, name)
        text = "".join(value) if isinstance(value, tuple) else value
        if isinstance(text, str) and name not in _FROM_THE_NETWORK and not text.isprintable():
            return name
    return ""


_did_of = lru_cache(maxsize=KEPT_DIDS)(did_of)


def _inbound_from(line: Inbound, region: str, *, trusted: bool) -> PastCall:
    caller = caller_of(line.caller or "", region)
    kind = caller.kind if caller.key or line.caller_kind is None else line.caller_kind
    attestation = ATTESTATION[line.attestation]
    is_verified = line.attestation == "A" and not line.verification
    verification = VERIFIED if is_verified else VERIFICATION[line.verification]
    outcome = OutcomeRecord(
        linkedid=line.call,
        at=line.at,
        direction=INBOUND,
        disposition=ANSWERED if line.answered else MISSED[line.missed],
        caller=caller.key,
        caller_kind=kind,
        did=_did_of(line.did, region) if line.did else None,
        trunk=line.trunk or None,
        answered_by=(line.callee or None) if line.answered else None,
        group=line.callee_group or None,
        queue=line.queue or None,
        rung=((line.callee,) if line.callee else ()) if line.rung is None else line.rung,
        ring_seconds=line.ring_seconds,
        talk_seconds=line.talk_seconds,
        waited_seconds=line.waited_seconds,
        ended_by=ENDED_BY[line.ended_by],
        answered_by_pbx=line.answered_by_pbx,
        voicemail_left=line.voicemail,
        transferred=line.passed_on,
        challenge=line.challenge,
        complete=line.complete,
        source=SOURCE,
        auth_class=auth_class_of(attestation, verification, trusted),
        action=line.shown,
        rang_by=line.rang_by,
        voice=line.voice,
    )
    return PastCall(outcome, attestation, verification, trusted, line.sampled, line.name)


def _outbound_from(line: OutboundEvent, region: str) -> OutcomeRecord:
    return OutcomeRecord(
        linkedid=line.call,
        at=line.at,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED if line.answered else Disposition.NO_ANSWER,
        caller=line.caller or None,
        caller_kind=CallerKind.INTERNAL,
        dialled=(number_of(line.callee or "", region) or line.callee or None),
        own_number=(number_of(line.own_number or "", region) or line.own_number or None),
        group=line.caller_group or None,
        ring_seconds=line.ring_seconds,
        talk_seconds=line.talk_seconds,
        waited_seconds=line.waited_seconds,
        ended_by=ENDED_BY[line.ended_by],
        complete=line.complete,
        source=SOURCE,
    )


def _mark_from(line: Marked, region: str) -> Mark | None:
    number = number_of(line.number, region)
    if number is None:
        return None
    return Mark(
        number=number,
        auth_class=AuthClass.UNKNOWN,
        reporter=line.reporter,
        verdict=Verdict.SPAM if line.verdict == "spam" else Verdict.OK,
        at=line.at,
        channel=line.channel,
        group=line.group or None,
        category=(line.category or "").lower() or None,
        linkedid=line.call or None,
        epoch=line.epoch,
    )
