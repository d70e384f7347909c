"""Simulation of calls that CallSieve screens. Decisions change how calls end, and therefore what CallSieve learns.

    tally_of(office, plan, Screening("balanced", parameters), read_from) -> Tally

A caller whose call did not ring may redial at once. Both calls then count as one, which is lost if neither rang.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum, auto
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import NamedTuple

from benchmarks.accuracy.call_outcomes import NUMBER, Event, Handling, Listing, Proof, Reading, consequences
from benchmarks.accuracy.callers import Attempt, User, redialled
from benchmarks.accuracy.office import Office, Plan
from benchmarks.accuracy.screening import OWN_BLOCK, Screening
from policies.decision import Action, Decision
from policies.reasons import Reason
from reputation.model import Identity, Mark


class Counted(Enum):
    """The keys of a Tally: ways in which a call can end, or things that can happen to a number."""

    CALLS = auto()
    OWN_BLOCK = auto()  # stopped only by the callee's own blocklist
    STOPPED = auto()  # did not ring because of the model
    REJECTED = auto()  # of those: rejected or routed without a challenge
    ASKED = auto()  # challenges; a redialled call may be challenged twice
    TAGGED = auto()  # rang with this label
    WARNED = auto()
    PLAIN = auto()  # rang without label or warning
    SAMPLED = auto()  # of those: left unlabelled on purpose
    PROBES = auto()
    LABEL_DAYS = auto()  # probes that would have been labelled
    ASKED_DAYS = auto()  # probes that would have been challenged
    # Numbers, from their first day on: all numbers, and numbers of which a call was ever ...
    NUMBERS = auto()
    EVER_LABELLED = auto()
    EVER_ASKED = auto()
    EVER_LOST = auto()
    EVER_LISTED = auto()  # ... listed in a digest as probably wanted (strangers.py)


Tally = Counter[Counted]
NEWCOMER = User("999", "+442071838750", "", 0.0)  # a person without any history
RUNG = {
    Action.ALLOW: Counted.PLAIN,
    Action.TAG: Counted.TAGGED,
    Action.WARN: Counted.WARNED,
    Action.CHALLENGE: Counted.PLAIN,
}


class Site(NamedTuple):
    """An office, the plan of a number's calls to this office, and the screening that decides about these calls."""

    office: Office
    plan: Plan
    screening: Screening


def tally_of(office: Office, plan: Plan, screening: Screening, read_from: float) -> Tally:
    """Simulate a number's calls to an office, and count how they ended.

    Calls before `read_from` (UTC seconds) are not counted.
    """
    (tally,) = tallies_of([Site(office, plan, screening)], read_from)
    return tally


def _unwatched(_site: int, _at: float, _decision: Decision) -> None:
    """Ignore the decision."""


def tallies_of(
    sites: Sequence[Site], read_from: float, watch: Callable[[int, float, Decision], None] = _unwatched
) -> list[Tally]:
    """Simulate a number's calls to several sites, in order of time. Return a tally for each site.

    Sites may share evidence. `watch`: is called with the site's index, the time and the decision of each counted call.
    """
    order, tallies = count(), [Tally() for _ in sites]
    waiting: list[tuple[float, int, int, Event]] = [
        (at, next(order), place, event) for place, site in enumerate(sites) for at, event in site.plan.events
    ]
    heapify(waiting)
    while waiting:
        at, _, place, event = heappop(waiting)
        p, screening = sites[place].office.parameters, sites[place].screening
        if isinstance(event, Attempt):
            decision, handling = screening.handle(event)
            follows = consequences(p, event, handling)
            was_stopped = not handling.rings and decision.rule != OWN_BLOCK
            again = redialled(p, event, handling.challenge) if was_stopped else None
            if again is not None:
                follows.append((again.at, again))
            for when, one in follows:
                heappush(waiting, (when, next(order), place, one))
            if event.counted:
                _note(tallies[place], decision, handling, again is not None)
            if event.counted and at >= read_from:
                watch(place, at, decision)
                _count(tallies[place], decision, handling, again is not None)
        elif isinstance(event, Mark):
            screening.add_mark(event)
        elif isinstance(event, Listing):
            screening.allow(event.extension)
        elif isinstance(event, Proof):
            screening.prove(Identity(NUMBER, "Invented", 1, inf), at)
        elif isinstance(event, Reading):
            _probe(tallies[place], screening.decide(f"probe-{at}", NEWCOMER, at))
        else:
            screening.learn(event)
    return tallies


def _note(tally: Tally, decision: Decision, handling: Handling, calls_again: bool) -> None:
    tally[Counted.NUMBERS] = 1
    if decision.rule == OWN_BLOCK or decision.action is Action.ALLOW:
        return
    if decision.action is Action.CHALLENGE:
        tally[Counted.EVER_ASKED] = 1
    if not handling.rings:
        tally[Counted.EVER_LOST] |= not calls_again
    elif decision.action is not Action.CHALLENGE:
        tally[Counted.EVER_LABELLED] = 1


def _count(tally: Tally, decision: Decision, handling: Handling, calls_again: bool) -> None:
    tally[Counted.ASKED] += decision.action is Action.CHALLENGE
    if calls_again:
        return
    tally[Counted.CALLS] += 1
    if decision.rule == OWN_BLOCK:
        tally[Counted.OWN_BLOCK] += 1
    elif handling.rings:
        tally[RUNG[decision.action]] += 1
        tally[Counted.SAMPLED] += decision.capped_by is not None and decision.capped_by.reason is Reason.CONTROL_SAMPLE
    else:
        tally[Counted.STOPPED] += 1
        tally[Counted.REJECTED] += decision.action is not Action.CHALLENGE


def _probe(tally: Tally, decision: Decision) -> None:
    tally[Counted.PROBES] += 1
    tally[Counted.LABEL_DAYS] += decision.action >= Action.TAG
    tally[Counted.ASKED_DAYS] += decision.action >= Action.CHALLENGE
