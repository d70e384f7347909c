"""Simulate calls while CallSieve screens them. Its decisions change how calls end, and so what it learns from them.

    tally_of(office, plan, Screening("balanced", parameters), read_from) -> Tally

A call that was turned away counts as one with the redialled call. It is lost if neither of them rang.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum, auto
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import NamedTuple

from benchmarks.accuracy.callers import Attempt, User, redialled
from benchmarks.accuracy.happening import NUMBER, Event, Handling, Listing, Proof, Reading, consequences
from benchmarks.accuracy.office import Office, Plan
from benchmarks.accuracy.screening import OWN_BLOCK, Screening
from policies.decision import Action, Decision
from policies.reasons import Reason
from reputation.model import Identity, Mark


class What(Enum):
    """What is counted."""

    CALLS = auto()
    OWN_BLOCK = auto()  # stopped by the callee's own word, and by nobody else's
    STOPPED = auto()  # did not ring for what the model said of it
    REJECTED = auto()  # of those: turned away or routed without being asked
    ASKED = auto()  # challenges; a redialled call may be asked twice
    TAGGED = auto()  # rang with this label
    WARNED = auto()
    PLAIN = auto()  # rang as any other call
    SAMPLED = auto()  # of those: left unlabelled on purpose
    PROBES = auto()
    LABEL_DAYS = auto()  # probes that would have been labelled
    ASKED_DAYS = auto()  # and those that would have been asked
    # Numbers, from the first day on whenever calls are counted: all, and those of which a call was ever ...
    NUMBERS = auto()
    EVER_LABELLED = auto()
    EVER_ASKED = auto()
    EVER_LOST = auto()
    EVER_LISTED = auto()  # ... said by the digest of a day to be probably wanted (strangers.py)


Tally = Counter[What]
NEWCOMER = User("999", "+442071838750", "", 0.0)  # who has seen nothing of any number
RUNG = {Action.ALLOW: What.PLAIN, Action.TAG: What.TAGGED, Action.WARN: What.WARNED, Action.CHALLENGE: What.PLAIN}


class Site(NamedTuple):
    """An office that a number calls, with its plan and its screening."""

    office: Office
    plan: Plan
    screening: Screening


def tally_of(office: Office, plan: Plan, screening: Screening, read_from: float) -> Tally:
    """Count how the calls of a number ended that began at `read_from` or later."""
    (tally,) = tallies_of([Site(office, plan, screening)], read_from)
    return tally


def _unwatched(_site: int, _at: float, _decision: Decision) -> None:
    """Ignore a decision."""


def tallies_of(
    sites: Sequence[Site], read_from: float, watch: Callable[[int, float, Decision], None] = _unwatched
) -> list[Tally]:
    """Do the same for one number that calls several sites, in order of time. A site may share what it learns.

    `watch` gets the index of the site, the time and the decision of every counted call.
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
            turned_away = not handling.rings and decision.rule != OWN_BLOCK
            again = redialled(p, event, handling.challenge) if turned_away else None
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
    tally[What.NUMBERS] = 1
    if decision.rule == OWN_BLOCK or decision.action is Action.ALLOW:
        return
    if decision.action is Action.CHALLENGE:
        tally[What.EVER_ASKED] = 1
    if not handling.rings:
        tally[What.EVER_LOST] |= not calls_again
    elif decision.action is not Action.CHALLENGE:
        tally[What.EVER_LABELLED] = 1


def _count(tally: Tally, decision: Decision, handling: Handling, calls_again: bool) -> None:
    tally[What.ASKED] += decision.action is Action.CHALLENGE
    if calls_again:
        return
    tally[What.CALLS] += 1
    if decision.rule == OWN_BLOCK:
        tally[What.OWN_BLOCK] += 1
    elif handling.rings:
        tally[RUNG[decision.action]] += 1
        tally[What.SAMPLED] += decision.capped_by is not None and decision.capped_by.reason is Reason.CONTROL_SAMPLE
    else:
        tally[What.STOPPED] += 1
        tally[What.REJECTED] += decision.action is not Action.CHALLENGE


def _probe(tally: Tally, decision: Decision) -> None:
    tally[What.PROBES] += 1
    tally[What.LABEL_DAYS] += decision.action >= Action.TAG
    tally[What.ASKED_DAYS] += decision.action >= Action.CHALLENGE
