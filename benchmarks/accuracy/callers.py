"""Random draws that determine a number's calls.

All are made before any decision, so that every compared method gets the same calls.
"""

from __future__ import annotations

from enum import Enum
from random import Random
from typing import NamedTuple

from benchmarks.accuracy.parameters import Habits, Nature, Parameters
from reputation.model import AuthClass, ChallengeResult


class User(NamedTuple):
    """A person of the simulated office.

    Attributes:
        readiness: How readily the person marks numbers, compared with the average person (1).
        heeds: A random share from 0 to 1. If it is below the office's parameter `notice`, the person answers a notice
            about a stopped call with "not spam".
    """

    extension: str
    did: str
    group: str
    readiness: float
    heeds: float = 1.0


class Line(NamedTuple):
    """The caller that uses a number. `passes`: probability that the caller passes a challenge.

    `signed`: share of the calls that have a verified signature.
    """

    habits: Habits
    nature: Nature
    passes: float
    signed: float = 0.0
    listed: bool = False
    trunk: str = "trunk-1"


class Conduct(Enum):
    """How a colluder (a person who helps to attack a number) treats a call.

    It replaces the random draws for the call.
    """

    HANG_UP = "answers the call and hangs up"


class Fate(NamedTuple):
    """The random draws that determine how a call goes.

    Each is uniform between 0 and 1 unless a comment gives a unit.
    """

    answered: float
    ring_answered: float  # seconds
    ring_unanswered: float
    hooked: float
    hooked_talk: float
    talk: float
    ended_by_callee: float
    voicemail: float
    marked: float
    mark_delay: float
    called_back: float
    back_delay: float
    back_ring: float
    back_talk: float
    reacts: float
    passed: float
    failed: float
    redials: float
    redial_delay: float
    redial_fate: float  # the seed of the second call's draws
    signed: float
    notice_delay: float


class Attempt(NamedTuple):
    """An incoming call before screening.

    Attributes:
        ring_seconds: How long the caller lets the phone ring. None: as long as the random draws say.
        counted: Whether the call appears in the results. False for the calls of an attack.
        again: Whether this is the second call of a caller who redialled after a call that did not ring.
        gave_up: With `again`: whether the caller hung up during the challenge of the first call.
    """

    linkedid: str
    at: float
    user: User
    line: Line
    fate: Fate
    ring_seconds: float | None = None  # the caller gives up after this time
    conduct: Conduct | None = None
    counted: bool = True
    again: bool = False
    gave_up: bool = False

    @property
    def auth_class(self) -> AuthClass:
        return AuthClass.AUTHENTICATED if self.fate.signed < self.line.signed else AuthClass.UNKNOWN


def line_of(p: Parameters, chance: Random, habits: Habits, nature: Nature) -> Line:
    """Draw the caller that uses a number. For a share of the numbers, the caller can never pass a challenge."""
    answering = p.answering[nature]
    passes = 0.0 if chance.random() < answering.never else answering.passes / (1 - answering.never)
    return Line(habits, nature, passes)


def fate_of(p: Parameters, chance: Random, habits: Habits) -> Fate:
    """Make the random draws for a call."""
    return Fate(
        answered=chance.random(),
        ring_answered=p.ring_answered.draw(chance),
        ring_unanswered=p.ring_unanswered.draw(chance),
        hooked=chance.random(),
        hooked_talk=habits.hooked_talk.draw(chance),
        talk=habits.talk.draw(chance),
        ended_by_callee=chance.random(),
        voicemail=chance.random(),
        marked=chance.random(),
        mark_delay=chance.uniform(*p.mark_delay),
        called_back=chance.random(),
        back_delay=chance.uniform(*p.back_delay),
        back_ring=p.ring_answered.draw(chance),
        back_talk=habits.back_talk.draw(chance),
        reacts=chance.random(),
        passed=chance.random(),
        failed=chance.random(),
        redials=chance.random(),
        redial_delay=chance.uniform(*p.redial_delay),
        redial_fate=chance.random(),
        signed=chance.random(),
        notice_delay=chance.uniform(*p.notice_delay),
    )


def result_of(p: Parameters, attempt: Attempt) -> ChallengeResult:
    """Return how the caller answers a challenge."""
    answering, fate = p.answering[attempt.line.nature], attempt.fate
    passes = attempt.line.passes
    if attempt.gave_up and answering.passes_again is not None:
        passes = min(passes, answering.passes_again)  # 0 stays 0
    if fate.passed < passes:
        return ChallengeResult.PASSED
    if fate.failed < answering.silent:
        return ChallengeResult.SILENT
    return ChallengeResult.WRONG if fate.failed < answering.silent + answering.wrong else ChallengeResult.ABANDONED


def redialled(p: Parameters, attempt: Attempt, result: ChallengeResult | None) -> Attempt | None:
    """Return the second call of a caller whose call did not ring; None if the caller gives up.

    A caller redials at most once.
    """
    fate = attempt.fate
    if attempt.again or fate.redials >= p.answering[attempt.line.nature].redials:
        return None
    return attempt._replace(
        linkedid=f"{attempt.linkedid}-again",
        at=attempt.at + fate.redial_delay,
        fate=fate_of(p, Random(fate.redial_fate), attempt.line.habits),
        again=True,
        gave_up=result is ChallengeResult.ABANDONED,
    )
