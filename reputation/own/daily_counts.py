"""Daily statistics of our own numbers: the counts of a call, sums over 1, 7 and 28 days, and networks by prefix.

An outgoing call counts on the called person's local day, because "three calls to one person on one day" means that
person's day. The telephone network of a number is looked up in a CSV file with `prefix,network` per line, because
libphonenumber has no networks for North America. Assignments of central office codes and thousands-blocks are public:

    networks_in(Path("networks.csv")).name_of("+12015551234") -> "Verizon Wireless" (of the longest prefix), or None
"""

import csv
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from sys import intern
from typing import Annotated, NamedTuple

from reputation.columns import Key
from reputation.model import Direction, Disposition, EndedBy, Reputation
from reputation.numbers import stored_number
from reputation.outcome import OutcomeRecord
from reputation.own.hours import AS_INSTALLED, CallingHours, is_surely_outside, local_date_number

SHORT_SECONDS = 6.0  # carriers charge for calls that are over within 6 s of the answer
# 16 CFR 310.4(b)(4): a person is to be let ring for 15 s, and to hear somebody within 2 s of answering.
GIVEN_UP_SECONDS = 15.0
HEARD_NOBODY_SECONDS = 2.0
MANY_CALLS = 3  # to one person on one day
# No person answers so soon after the first ring: this is voicemail of a phone that is off, a menu, or a call screener.
# If no ringing was seen, the answer may be a person's.
MACHINE_SECONDS = 1.5

# Nobody took it. A number that does not exist, or a trunk that failed, is nobody's choice.
NOT_TAKEN = frozenset({Disposition.NO_ANSWER, Disposition.BUSY, Disposition.REJECTED})


class DailyCounts(NamedTuple):
    """The figures that a call adds to the day of its own number. The counts from `answered` to `machine` are 0 or 1.

    `abandoned`: we gave up too early, before or after the answer. If `blocked` or `machine` is 1, all fields from
    `answered` to `abandoned` are 0.
    """

    number: str
    callee: str
    country: str
    day: int
    answered: int
    short: int
    unanswered: int
    failed: int
    abandoned: int
    outside: int
    blocked: int
    machine: int
    talk_seconds: float


class OwnDay(NamedTuple):
    """The statistics of an own number on a day.

    Attributes:
        number: The number, E.164.
        day: The day.
        attempts: How many calls were made.
        answered: How many calls a person answered.
        short: How many answered calls were over within 6 s.
        unanswered: How many calls nobody took.
        failed: How many calls failed, or went to a number that does not exist.
        abandoned: How many calls we ended too early.
        outside: How many calls were outside the hours when people may be called.
        people: How many people were called.
        repeated: How many people were called three times or more.
        most: How many calls the most-called person got.
        called_back: How many calls came back from people that the number had called within 28 days.
        talk_seconds: How long people talked in all calls together.
        blocked: How many calls a network refused.
        machine: How many calls a machine answered.
    """

    number: str
    day: Annotated[int, Key()]
    attempts: int = 0
    answered: int = 0
    short: int = 0
    unanswered: int = 0
    failed: int = 0
    abandoned: int = 0
    outside: int = 0
    people: int = 0
    repeated: int = 0
    most: int = 0
    called_back: int = 0
    talk_seconds: float = 0.0
    blocked: int = 0
    machine: int = 0


def tally_of(outcome: OutcomeRecord, hours: CallingHours = AS_INSTALLED) -> DailyCounts | None:
    """Return what a call adds to its own number's statistics; None if it is not outgoing or not fully tracked."""
    own, key = outcome.own_number, outcome.number
    if outcome.direction is not Direction.OUTBOUND or not outcome.complete or key is None:
        return None
    callee = stored_number(key)
    if callee.service is not None:  # a bank's line marks nobody
        return None
    if own is None or not own.startswith("+"):
        return None
    place = hours.place_of(callee, outcome.at)
    machine = is_machine(outcome)
    answered = outcome.disposition is Disposition.ANSWERED and not machine
    return DailyCounts(
        number=own,
        callee=key,
        country=callee.country or "",
        day=local_date_number(place, outcome.at),
        answered=int(answered),
        short=int(answered and outcome.talk_seconds <= SHORT_SECONDS),
        unanswered=int(outcome.disposition in NOT_TAKEN and not outcome.blocked),
        failed=int(outcome.disposition is Disposition.FAILED and not outcome.blocked),
        abandoned=int(not machine and not outcome.blocked and _is_abandoned(outcome)),
        outside=int(is_surely_outside(place, outcome.at)),
        blocked=int(outcome.blocked),
        machine=int(machine),
        talk_seconds=outcome.talk_seconds if answered else 0.0,
    )


def is_machine(outcome: OutcomeRecord) -> bool:
    """Return whether a machine answered our call: the dialplan says so, or the answer came too fast for a person."""
    if outcome.disposition is not Disposition.ANSWERED or outcome.direction is not Direction.OUTBOUND:
        return False
    return outcome.machine or 0.0 < outcome.ring_seconds <= MACHINE_SECONDS


def _is_abandoned(outcome: OutcomeRecord) -> bool:
    if outcome.ended_by is None or outcome.ended_by is EndedBy.CALLEE:
        return False
    if outcome.disposition is Disposition.ANSWERED:
        return outcome.talk_seconds < HEARD_NOBODY_SECONDS
    return outcome.disposition is Disposition.NO_ANSWER and outcome.ring_seconds < GIVEN_UP_SECONDS


WIDTH_SECONDS = 0.2
AROUND_SECONDS = 1.0  # on either side of a heap, what is to be expected in it is read
LEAST_CALLS = 10
# So many times what stands around it: of seven calls in a heap, at most one is a person's.
TIMES = 6.0
# Later, networks end calls of people by the clock too.
LONGEST_SECONDS = 60.0


class HangUps(NamedTuple):
    """A cluster of calls that lasted equally long: their talk time in seconds, and their linkedids."""

    seconds: float
    linkedids: frozenset[str]


def machine_hang_ups(outcomes: Iterable[OutcomeRecord]) -> tuple[HangUps, ...]:
    """Return the clusters of calls that machines ended after equal talk times, the shortest first.

    Talk times in whole seconds, as in CDRs, are too coarse and are ignored.
    """
    calls = sorted((outcome.talk_seconds, outcome.linkedid) for outcome in outcomes if _did_callee_end(outcome))
    times = [seconds for seconds, _ in calls]
    clusters: list[HangUps] = []
    first = 0
    while first < len(calls):
        end = bisect_right(times, times[first] + WIDTH_SECONDS)
        if end - first < LEAST_CALLS or not _is_heap(times, first, end):
            first += 1
            continue
        middle = times[(first + end) // 2]
        clusters.append(HangUps(middle, frozenset(linkedid for _, linkedid in calls[first:end])))
        first = end
    return tuple(clusters)


def days_without(days: Iterable[OwnDay], calls: Iterable[OutcomeRecord]) -> tuple[OwnDay, ...]:
    """Return the days with corrected counts: `calls` are counted as answered by a machine instead of a person."""
    by_day = {day.day: day for day in days}
    for call in calls:
        tally = tally_of(call)
        day = by_day.get(tally.day) if tally is not None else None
        if tally is None or day is None or not day.answered:
            continue
        by_day[day.day] = day._replace(
            answered=day.answered - tally.answered,
            short=max(0, day.short - tally.short),
            machine=day.machine + tally.answered,
            talk_seconds=max(0.0, day.talk_seconds - tally.talk_seconds),
        )
    return tuple(by_day.values())


def _did_callee_end(outcome: OutcomeRecord) -> bool:
    return (
        outcome.direction is Direction.OUTBOUND
        and outcome.disposition is Disposition.ANSWERED
        and outcome.ended_by is EndedBy.CALLEE
        and outcome.complete
        and not is_machine(outcome)
        and outcome.talk_seconds <= LONGEST_SECONDS
        and not outcome.talk_seconds.is_integer()
    )


def _is_heap(times: list[float], first: int, end: int) -> bool:
    """Return whether far more calls ended at this talk time than at the talk times just before and after it."""
    start, stop = times[first], times[first] + WIDTH_SECONDS
    since = max(0.0, start - AROUND_SECONDS)
    around = (first - bisect_left(times, since)) + (bisect_right(times, stop + AROUND_SECONDS) - end)
    expected = (around + 1) * WIDTH_SECONDS / (start - since + AROUND_SECONDS)
    return end - first >= TIMES * expected


MOST_ROWS = 2_000_000
LINE_CHARACTERS = 200
NAME_CHARACTERS = 60
_PREFIX = re.compile(r"\+?([1-9][0-9]{2,13})", re.ASCII)


class NetworkFileError(ValueError):
    """The error for an unusable file of telephone networks. The text names the line and the reason."""


class Networks:
    """The names of telephone networks by number prefix (digits without `+`)."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._lengths = sorted({len(prefix) for prefix in names}, reverse=True)

    def __len__(self) -> int:
        return len(self._names)

    def name_of(self, e164: str) -> str | None:
        """Return the network of the longest prefix with which this number begins; None if no prefix matches."""
        digits = e164[1:]
        return next((name for size in self._lengths if (name := self._names.get(digits[:size])) is not None), None)


NO_NETWORKS = Networks({})


def networks_in(path: Path) -> Networks:
    """Read a file with the telephone network of each prefix.

    Raise OSError or, for an invalid line, NetworkFileError.
    """
    if not path.is_file():
        raise NetworkFileError(f"{path}: there is no such file")
    names: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for line, text in enumerate(file, 1):
            row = next(csv.reader([text[:LINE_CHARACTERS]]), [])
            match = _PREFIX.fullmatch(row[0].strip()) if len(row) > 1 else None
            name = "".join(filter(str.isprintable, row[1])).strip()[:NAME_CHARACTERS] if match else ""
            if match is None or not name:
                if not row or line == 1:  # a header, or an empty line
                    continue
                raise NetworkFileError(
                    f"{path}: line {line}: expected a prefix and a network, such as `+1201555,Example Wireless`"
                )
            names[match[1]] = intern(name)
            if len(names) > MOST_ROWS:
                raise NetworkFileError(f"{path}: the file has more than {MOST_ROWS:,} lines: remove some")
    return Networks(names)


WEEK, MONTH = 7, 28
WINDOWS = (1, WEEK, MONTH)


def percent(share: float) -> str:
    """Format a share: `24%`. A share below ten percent has a decimal (`2.4%`), because some limits are 1 or 2 %."""
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresWindow:
    """The statistics of an own number over its last days.

    Attributes:
        days: How many days the window has.
        attempts: How many calls were made.
        answered: How many calls a person answered.
        short: How many answered calls were over within 6 s.
        unanswered: How many calls nobody took.
        failed: How many calls failed, or went to a number that does not exist.
        abandoned: How many calls we ended too early.
        outside: How many calls were outside the hours when people may be called.
        person_days: How many people were called on each day, added up.
        repeated: How many of these person-days had three calls or more.
        most: The most calls to one person on one day.
        called_back: How many calls came back from people that the number had called within 28 days.
        people: How many distinct people were called.
        unwanted: How many people complained or do not want to be called again; null for one day.
        talk_seconds: How long people talked in all calls together.
        blocked: How many calls a network refused.
        machine: How many calls a machine answered.
    """

    days: int
    attempts: int = 0
    answered: int = 0
    short: int = 0
    unanswered: int = 0
    failed: int = 0
    abandoned: int = 0
    outside: int = 0
    person_days: int = 0
    repeated: int = 0
    most: int = 0
    called_back: int = 0
    people: int = 0
    unwanted: int | None = None
    talk_seconds: float = 0.0
    blocked: int = 0
    machine: int = 0

    @property
    def calls_per_person_day(self) -> float:
        """How many calls a called person got on a day, on average."""
        return self.attempts / self.person_days if self.person_days else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """All data from which the health of an own number is computed.

    Attributes:
        today: The last day of the windows.
        days: The days with calls, in order.
        people: How many distinct people were called, by window (1, 7 and 28 days).
        unwanted: How many people complained or do not want to be called again, by window (7 and 28 days).
        view: The reputation of the number among the called people; None if it made too few calls.
        last_before: The last day with calls before `days`.
        first_day: The first day on which the number called.
        counted_since: The first day on which calls of any number were counted.
        listed: How many imported lists name the number. Like `strangers`, this is shown and does not change the grade.
        strangers: How many people complained although no call of the number to them is recorded.
        blocked: The countries whose networks refused calls within 28 days, each with how many calls.
        hang_ups: Talk times after which machines ended calls, each with how many calls. `days` counts these calls as
            answered by machines.
        labels: The platforms that show a label for the number, each with its label.
    """

    number: str
    today: int
    days: tuple[OwnDay, ...]
    people: dict[int, int]
    unwanted: dict[int, int]
    view: Reputation | None
    last_before: int | None = None
    first_day: int | None = None
    counted_since: int | None = None
    listed: int = 0
    strangers: int = 0
    blocked: tuple[tuple[str, int], ...] = ()
    hang_ups: tuple[tuple[float, int], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


def window_of(facts: HealthFacts, days: int) -> FiguresWindow:
    """Return the statistics of the last `days` days."""
    within = sums_of([day for day in facts.days if day.day > facts.today - days])
    return replace(within, days=days, people=facts.people.get(days, 0), unwanted=facts.unwanted.get(days))


def window_of_day(day: OwnDay) -> FiguresWindow:
    """Return the statistics of a single day as a window."""
    return replace(sums_of([day]), days=1, people=day.people)


def sums_of(days: Sequence[OwnDay]) -> FiguresWindow:
    """Return the sums over these days. Counts of distinct people over several days are left out."""

    def total(name: str) -> int:
        return int(sum(getattr(day, name) for day in days))

    return FiguresWindow(
        days=len(days),
        attempts=total("attempts"),
        answered=total("answered"),
        short=total("short"),
        unanswered=total("unanswered"),
        failed=total("failed"),
        abandoned=total("abandoned"),
        outside=total("outside"),
        person_days=total("people"),
        repeated=total("repeated"),
        most=max((day.most for day in days), default=0),
        called_back=total("called_back"),
        blocked=total("blocked"),
        machine=total("machine"),
        talk_seconds=sum(day.talk_seconds for day in days),
    )


def baseline_of(days: Sequence[OwnDay], before_day: int) -> float | None:
    """Return the median calls per day in the 28 days before `before_day`; None if fewer than five days had calls."""
    usual = [day.attempts for day in days if before_day - MONTH <= day.day < before_day and day.attempts]
    return median(usual) if len(usual) >= 5 else None
