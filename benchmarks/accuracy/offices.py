"""The offices in which everything is measured: the standard one, and those that differ from it in one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from benchmarks.accuracy.parameters import (
    ANSWERING,
    NEW_KINDS,
    SPAM_NATURES,
    STANDARD,
    Kind,
    Nature,
    Parameters,
    Reaction,
    with_habits,
)

STANDARD_NAME = "the standard office"
COLD = "service is answered by 30 %, leaves few messages, is hardly called back"
SMALL = "20 users of 4 groups, a tenth of the calls"
SMART = "robots that always pass"
FARMING = "spam that always passes, and keeps its numbers"
BOUGHT = "spam that has proven control of its numbers (L1)"

SPAM = (Kind.SPAM, Kind.SINGLE_USE, Kind.STORM)
HONEST = (Kind.SERVICE, Kind.ONE_OFF, Kind.CONTACT, *NEW_KINDS)


def _polite_spam() -> Parameters:
    """Spam that is answered no more often, but talked with and called back as customer service is."""
    service = STANDARD.habits[Kind.SERVICE]
    return with_habits(
        STANDARD,
        SPAM,
        talk=service.talk,
        called_back=service.called_back,
        back_talk=service.back_talk,
        ended_by_callee=service.ended_by_callee,
    )


def _marks(parameters: Parameters, kinds: Sequence[Kind], factor: float) -> Parameters:
    """Marks so many times as common."""
    for kind in kinds:
        habits = parameters.habits[kind]
        parameters = with_habits(
            parameters,
            (kind,),
            marked_answered=habits.marked_answered * factor,
            marked_unanswered=habits.marked_unanswered * factor,
        )
    return parameters


def _answering(natures: Sequence[Nature], **changes: Any) -> Parameters:
    """Callers who answer challenges in another way."""
    changed = {nature: replace(ANSWERING[nature], **changes) for nature in natures}
    return replace(STANDARD, answering={**ANSWERING, **changed})


OFFICES: Mapping[str, Parameters] = MappingProxyType(
    {
        STANDARD_NAME: STANDARD,
        COLD: with_habits(STANDARD, (Kind.SERVICE, *NEW_KINDS), answered=0.30, voicemail=0.15, called_back=0.01),
        "the same, and leaves no message at all": with_habits(
            STANDARD, (Kind.SERVICE, *NEW_KINDS), answered=0.30, voicemail=0.0, called_back=0.01
        ),
        "spam talks, and is called back, as service is": _polite_spam(),
        "spam leaves a message on every second machine": with_habits(STANDARD, SPAM, voicemail=0.5),
        "marks 5 times rarer": _marks(STANDARD, tuple(Kind), 0.2),
        "wrong marks 4 times commoner": _marks(STANDARD, HONEST, 4.0),
        "people react to labels": replace(
            STANDARD, reaction=Reaction(answered=0.4, marked=3.0, hung_up_honest=0.15, hung_up_spam=0.5)
        ),
        SMALL: replace(
            STANDARD,
            users=20,
            groups=4,
            contacts=120,
            service_rate=(0.2, 1.5),
            one_off_a_day=6,
            spam_rate=STANDARD.spam_rate._replace(median=0.6),
            spam_rate_most=2.5,
            single_use_a_day=10,
        ),
        "robots redial at once": _answering((Nature.ROBOT,), redials=1.0),
        "each robot passes one challenge in twenty": _answering((Nature.ROBOT,), never=0.0),
        SMART: _answering((Nature.ROBOT,), passes=1.0, never=0.0),
        FARMING: replace(_answering(SPAM_NATURES, passes=1.0, never=0.0), spam_life_days=1000.0),
        BOUGHT: replace(STANDARD, spam_identity=1),
    }
)
# Of honest callers fewer are enough where every seed is not measured: each takes time, and few of them meet anything.
FEWER: Mapping[str, Any] = {"contacts": 120, "services": 20, "one_off_a_day": 20, "single_use_a_day": 5, "storms": 0}


def reduced(parameters: Parameters) -> Parameters:
    """The same office with fewer honest callers."""
    return replace(parameters, **{name: min(value, getattr(parameters, name)) for name, value in FEWER.items()})
