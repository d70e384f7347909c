"""Evidence from the hour of the call: a stranger calls in the callee's quiet hours."""

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Speaker, always
from reputation.model import Family
from reputation.own.hours import is_quiet
from reputation.weights import QuietWeights
from reputation.wording import Wording

NAME = "quiet hours"


def quiet_of(hour: int | None, is_stranger: bool, weights: QuietWeights) -> Family | None:
    """Return the evidence if a stranger calls at a quiet hour of the callee's day. `hour`: 0 to 23; None: not used."""
    if hour is None or not is_stranger or not is_quiet(hour, weights):
        return None
    return Family(NAME, weights.weight)


def _compute(subject: Subject) -> Family | None:
    call = subject.circumstances
    return quiet_of(call.hour, call.is_stranger, subject.weights.quiet)


def _words(_counts: Counts) -> Iterator[Wording]:
    yield Wording("the number called during quiet hours")


QUIET_HOURS = FamilyKind(NAME, Speaker.CALL, _compute, _words, always("explain-quiet-hours"))
