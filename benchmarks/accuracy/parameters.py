"""All parameters of the simulated office (docs/contributing/model.md).

The word "ours" marks values that we chose ourselves, because no source gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from benchmarks.accuracy.chances import LogNormal

DAY_SECONDS = 86_400.0
START = 1_767_225_600.0  # 2026-01-01 00:00 UTC: an arbitrary midnight


BACK_TALK = LogNormal(60.0, 0.8)
HOOKED_TALK = LogNormal(120.0, 0.8)
RING_ANSWERED = LogNormal(9.0, 0.6)
RING_UNANSWERED = LogNormal(22.0, 0.5)
SPAM_RATE = LogNormal(6.0, 0.7)


class Kind(StrEnum):
    """A kind of calling number, such as a contact or a spam number."""

    CONTACT = "contact"
    SERVICE = "service"
    ONE_OFF = "one-off"
    SPAM = "spam"
    SINGLE_USE = "single-use"
    STORM = "single-use storm"
    WANGIRI = "wangiri"
    NEW_PERSON = "new person"
    NEW_MACHINE = "new machine"


class Nature(StrEnum):
    """The kind of caller: a person, or a program. It determines how a challenge is answered."""

    PERSON = "one person"
    STAFF = "several people"
    MACHINE = "wanted machine"
    ROBOT = "robot"
    SPAMMER = "human spammer"
    ONE_RING = "one-ring robot"


HONEST = frozenset({Nature.PERSON, Nature.STAFF, Nature.MACHINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How the callers of a nature answer a challenge.

    Attributes:
        passes: Share of challenges that are passed, over all numbers.
        never: Share of numbers whose callers never pass.
        silent: Share of failed challenges in which the caller stays silent.
        wrong: Share of failed challenges with a wrong digit. In the remaining ones the caller hangs up.
        redials: Share of callers who call again at once after a call for which no phone rang.
        passes_again: Share that passes the second challenge, of callers who hung up during the first one; None: as
            usual.
    """

    passes: float
    never: float = 0.0
    silent: float
    wrong: float
    redials: float
    passes_again: float | None = None


_PERSON = Answering(passes=0.92, silent=0.25, wrong=0.15, redials=0.30, passes_again=0.5)
ANSWERING: Mapping[Nature, Answering] = {
    Nature.PERSON: replace(_PERSON, never=0.04),
    Nature.STAFF: _PERSON,
    Nature.MACHINE: Answering(passes=0.0, silent=0.70, wrong=0.0, redials=0.0),
    # One robot in twenty can press a digit, and always does (ours: a machine is able to, or not).
    Nature.ROBOT: Answering(passes=0.05, never=0.95, silent=0.60, wrong=0.05, redials=0.05),
    Nature.SPAMMER: Answering(passes=0.60, silent=0.10, wrong=0.10, redials=0.15),
    Nature.ONE_RING: Answering(passes=0.0, silent=0.0, wrong=0.0, redials=0.0),  # ours: it hangs up, as always
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """How a label changes people's reaction to a call. In the standard office a label changes nothing."""

    answered: float = 1.0  # factor
    marked: float = 1.0
    hung_up_honest: float = 0.0  # of those who answered
    hung_up_spam: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How people and callers behave in calls of one kind of number.

    A share is a share of calls, unless a comment says otherwise.
    """

    answered: float
    talk: LogNormal
    voicemail: float  # of unanswered calls
    voicemail_failed: float | None = None  # of failed challenges; None: same as for unanswered calls
    marked_answered: float  # of answered calls, by the average person
    marked_unanswered: float = 0.0
    called_back: float = 0.0
    back_talk: LogNormal = BACK_TALK
    hooked: float = 0.0  # of answered calls: the callee listens to the end
    hooked_talk: LogNormal = HOOKED_TALK
    ended_by_callee: float = 0.5  # of answered calls. Ours: 0.8 for spam, whose callees want it to end


_SPAM = Habits(
    answered=0.15,
    talk=LogNormal(8.0, 0.8),
    voicemail=0.08,
    marked_answered=0.10,
    marked_unanswered=0.01,
    called_back=0.01,
    back_talk=LogNormal(15.0, 0.8),
    hooked=0.03,
    ended_by_callee=0.8,
)
HABITS: Mapping[Kind, Habits] = {
    Kind.CONTACT: Habits(answered=0.70, talk=LogNormal(37.0, 1.2), voicemail=0.30, marked_answered=0.0002),
    Kind.SERVICE: Habits(
        answered=0.53, talk=LogNormal(25.0, 1.0), voicemail=0.30, marked_answered=0.005, called_back=0.05
    ),
    Kind.ONE_OFF: Habits(answered=0.40, talk=LogNormal(21.0, 1.0), voicemail=0.30, marked_answered=0.001),
    Kind.SPAM: _SPAM,
    Kind.SINGLE_USE: _SPAM,
    Kind.STORM: _SPAM,
    Kind.WANGIRI: replace(_SPAM, answered=0.0, voicemail=0.0),
}
NEW_KINDS = (Kind.NEW_PERSON, Kind.NEW_MACHINE)
ESTABLISHED, ESTABLISHED_MACHINE = "established", "established machine"  # lines that are attacked
SPAM_NATURES = (Nature.ROBOT, Nature.SPAMMER)
HABITS = {**HABITS, Kind.NEW_PERSON: HABITS[Kind.SERVICE], Kind.NEW_MACHINE: HABITS[Kind.SERVICE]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of an office. A rate is the calls per day of one number.

    A pair `(a, b)` means a random value between a and b.
    """

    users: int = 200
    groups: int = 10
    days: int = 90
    first_hour: float = 9.0
    last_hour: float = 18.0
    read_from_day: float = 14.0
    habits: Mapping[Kind, Habits] = field(default_factory=lambda: HABITS)
    ring_answered: LogNormal = RING_ANSWERED
    ring_unanswered: LogNormal = RING_UNANSWERED

    contacts: int = 1200
    contact_rate: tuple[float, float] = (0.1, 0.5)
    contact_users: tuple[int, int] = (1, 4)
    contact_ours: float = 0.48  # share of outbound calls among the calls with a contact
    services: int = 40
    service_rate: tuple[float, float] = (2.0, 15.0)
    one_off_a_day: int = 60
    one_off_again: float = 0.30
    one_off_again_days: float = 2.0
    spammers: int = 150  # in the whole simulation; each begins on a random day (ours)
    spam_rate: LogNormal = SPAM_RATE
    spam_rate_most: float = 25.0
    spam_life_days: float = 7.0
    single_use_a_day: int = 100
    storms: int = 2  # ours: number of storms; a storm has many single-use numbers within an hour
    storm_calls: int = 300
    wangiri_bursts: int = 10
    wangiri_callees: tuple[int, int] = (20, 60)
    wangiri_seconds: float = 3600.0
    wangiri_ring: tuple[float, float] = (2.0, 6.0)

    reporter_shape: float = 1.5  # readiness of a person to mark: Gamma distribution with this shape and mean 1
    mark_delay: tuple[float, float] = (60.0, 180.0)  # "about 2 min after the call"
    back_delay: tuple[float, float] = (600.0, 4 * 3600.0)  # ours

    answering: Mapping[Nature, Answering] = field(default_factory=lambda: ANSWERING)
    machines: float = 0.20  # of service lines
    robots: float = 0.70  # of spam numbers
    reaction: Reaction = Reaction()
    spam_identity: int = 0  # the identity level that spammers have proven
    listed: float = 0.0  # share of spam numbers that sources list from their first call on
    listed_wrongly: float = 0.0  # share of wanted machines that sources list
    sources: int = 2
    traps: int = 0  # unused DIDs per 100 used DIDs; spam dials both equally often
    misdialled: float = 0.01  # ours: trap calls of an honest line, relative to a spam number with the same rate
    signed: float = 0.0  # share of numbers whose calls pass verification
    mixed: float = 0.0  # share of spam numbers whose every second call passes verification
    in_a_row: int = 1  # number of DIDs that spam one call at a time
    row_gap: tuple[float, float] = (5.0, 20.0)  # seconds from one such call to the next
    accomplices: int = 0  # people here who call each spam number back on its first day
    notice: float = 0.0  # share of people who say "not spam" after a message that a machine's call was stopped
    notice_delay: tuple[float, float] = (600.0, 8 * 3600.0)
    redial_delay: tuple[float, float] = (20.0, 170.0)

    attack_day: float = 45.0
    attack_seconds: float = 6 * 3600.0
    attack_groups: int = 4
    attack_marks: int = 5  # by each colluder
    attack_talk_seconds: float = 3.0
    relentless_every_days: float = 2.0  # ours: interval at which each colluder provokes a call to hang up on
    spoofed_a_day: int = 20
    spoofed_days: int = 10
    spoofed_burst: int = 40  # one-ring calls within an hour
    slow_from_day: float = 1.0
    colluders: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 40, 100)
    new_rate: float = 1.0
    new_days: float = 1.0  # how old a new number is when it is attacked
    attacked_established: int = 2  # numbers per seed, of people and of machines (ours)
    established_read_every: int = (
        4  # judge only every n-th call: an old line changes slowly, and judging takes long (ours)
    )
    attacked_new: int = 20
    attacked_again: int = 5  # if the attack is repeated until the end


STANDARD = Parameters()


def with_habits(parameters: Parameters, kinds: tuple[Kind, ...], **changes: object) -> Parameters:
    """Return the parameters with changed habits of these kinds of callers."""
    changed = {kind: replace(parameters.habits[kind], **changes) for kind in kinds}  # type: ignore[arg-type]
    return replace(parameters, habits={**parameters.habits, **changed})
