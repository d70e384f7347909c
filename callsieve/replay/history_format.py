"""The fields in each line of CallSieve's own history (docs/reference/history.md), for reading and writing."""

from typing import Annotated, Literal

import msgspec

from reputation.model import (
    Attestation,
    CallerKind,
    ChallengeResult,
    Disposition,
    EndedBy,
    MarkChannel,
    Tie,
    Verification,
    Voice,
)

LAST_INSTANT = 4_102_444_800  # the year 2100: later times are errors
At = Annotated[float, msgspec.Meta(ge=0, le=LAST_INSTANT)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=30 * 86_400)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=128)]
Shown = Literal["tag", "warn", "challenge", "route", "reject"]
Network = Annotated[str, msgspec.Meta(max_length=1024)]  # text from the network, which the number module parses


class Inbound(msgspec.Struct, tag="inbound", frozen=True, omit_defaults=True):
    """An incoming call in the history."""

    at: At
    call: Id
    caller: Network | None = None
    callee: Text | None = None
    callee_group: Text | None = None
    did: Text | None = None
    trunk: Text | None = None
    answered: bool = False
    ring_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    ended_by: Literal["caller", "callee", "system"] | None = None
    voicemail: bool = False
    attestation: Literal["A", "B", "C"] | None = None
    verification: Literal["passed", "failed"] | None = None
    shown: Shown | None = None
    # Only the store's own calls have these.
    caller_kind: CallerKind | None = None
    rung: Annotated[tuple[Text, ...], msgspec.Meta(max_length=100)] | None = None
    queue: Text | None = None
    missed: Literal["busy", "rejected", "failed"] | None = None
    answered_by_pbx: bool = False
    passed_on: bool = False
    challenge: ChallengeResult | None = None
    sampled: bool | None = None
    trusted: bool | None = None
    name: Text | None = None
    verstat: bool | None = None
    rang_by: Tie | None = None
    complete: bool = True
    waited_seconds: Seconds = 0.0
    voice: Voice | None = None


class OutboundEvent(msgspec.Struct, tag="outbound", frozen=True, omit_defaults=True):
    """An outgoing call in the history."""

    at: At
    call: Id
    caller: Text | None = None
    caller_group: Text | None = None
    own_number: Text | None = None
    callee: Text | None = None
    answered: bool = False
    ring_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    ended_by: Literal["caller", "callee", "system"] | None = None
    complete: bool = True
    waited_seconds: Seconds = 0.0


class Marked(msgspec.Struct, tag="mark", frozen=True, omit_defaults=True):
    """A mark in the history."""

    at: At
    number: Network
    reporter: Id
    group: Text | None = None
    verdict: Literal["spam", "ok"] = "spam"
    category: Text | None = None
    call: Text | None = None
    channel: MarkChannel = MarkChannel.CLI
    epoch: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


HistoryLine = Inbound | OutboundEvent | Marked

# The words in a line -> their values.
ATTESTATION = {None: Attestation.NONE, "A": Attestation.A, "B": Attestation.B, "C": Attestation.C}
VERIFICATION = {None: Verification.NONE, "passed": Verification.PASSED, "failed": Verification.FAILED}
MISSED = {
    None: Disposition.NO_ANSWER,
    "busy": Disposition.BUSY,
    "rejected": Disposition.REJECTED,
    "failed": Disposition.FAILED,
}
ENDED_BY = {None: None, "caller": EndedBy.CALLER, "callee": EndedBy.CALLEE, "system": EndedBy.SYSTEM}
