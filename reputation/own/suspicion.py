"""In which network the calls of an own number suddenly fare worse than they did: it may be marked there. Pure.

    suspicions_of(before, lately) -> the networks in which that is no chance, each with a confidence

The share of answered calls of a network, now to before, is compared with what became of that share in the number's
other networks meanwhile (a holiday, another list of people): the others' answers now to those that their shares of
before let expect, so that more calls into a network that answers less are no drop. Both are ratios, whose logarithms
are about normal (Katz and others, 1978). The share that networks refused is compared with that of before, by Newcombe's
interval (1998). It is a suspicion and no fact: other people called, or another script, look the same. A network is a
country: which carrier a called number is with, nobody tells us.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from statistics import NormalDist
from typing import NamedTuple

from reputation.intervals import wilson

LATELY_DAYS, BEFORE_DAYS = 7, 21
LEAST_LATELY, LEAST_BEFORE = 50, 100
ALPHA = 0.005  # of one number and look, over all of its networks and both comparisons
NORMAL = NormalDist()


class NetworkCalls(NamedTuple):
    """Calls of one number into one network: how many, how many people answered, and how many the network refused."""

    network: str
    calls: int
    answered: int
    blocked: int = 0


class Suspicion(NamedTuple):
    """`by`: `answered`, fewer are, or `blocked`, more are refused. Shares before and lately, of so many calls; the
    `confidence` that this is no chance, all comparisons of the number taken together.
    """

    network: str
    by: str
    before: float
    lately: float
    calls_before: int
    calls_lately: int
    confidence: float


def suspicions_of(before: Sequence[NetworkCalls], lately: Sequence[NetworkCalls]) -> list[Suspicion]:
    """The networks in which the number may be marked, the surest first."""
    then = {one.network: one for one in before if one.calls >= LEAST_BEFORE}
    tested = [one for one in lately if one.calls >= LEAST_LATELY and one.network in then]
    comparisons = 2 * len(tested)
    found = []
    for now in tested:
        was = then[now.network]
        rest = [(then[one.network], one) for one in lately if one.network != now.network and one.network in then]
        blocked = [(-1, now.blocked, now.calls), (1, was.blocked, was.calls)]
        for by, chance, one, other in (
            ("answered", _chance_of_answers(was, now, rest), was.answered, now.answered),
            ("blocked", _chance(blocked), was.blocked, now.blocked),
        ):
            whole = min(1.0, comparisons * chance)
            if whole <= ALPHA:
                shares = one / was.calls, other / now.calls
                found.append(Suspicion(now.network, by, *shares, was.calls, now.calls, 1 - whole))
    return sorted(found, key=lambda one: (-one.confidence, one.network, one.by))


def _chance_of_answers(
    was: NetworkCalls, now: NetworkCalls, rest: Sequence[tuple[NetworkCalls, NetworkCalls]]
) -> float:
    """How likely it is that as few answer by chance. `rest`: the other networks before and now; none: no control."""
    ratio = log(_share(now) / _share(was))
    variance = _variance(now.answered, _share(now)) + _variance(was.answered, _share(was))
    if sum(one.calls for _, one in rest) >= LEAST_LATELY:
        answered, expected = sum(one.answered for _, one in rest), sum(_share(one) * of.calls for one, of in rest)
        before = sum(one.answered for one, _ in rest)
        share = min(1.0, expected / sum(one.calls for _, one in rest))
        ratio -= log((answered + 0.5) / (expected + 0.5))
        variance += _variance(answered, share) + _variance(before, share)
    return NORMAL.cdf(ratio / sqrt(variance)) if ratio < 0 else 1.0


def _share(one: NetworkCalls) -> float:
    """Half an answer more of one call more, so that none is no zero."""
    return (one.answered + 0.5) / (one.calls + 1)


def _variance(answered: int, share: float) -> float:
    """Of the logarithm of a share."""
    return (1 - share) / (answered + 0.5)


def _chance(terms: Sequence[tuple[int, int, int]]) -> float:
    """How likely it is, at most, that the sum of signed shares is not below zero: 1 where nothing speaks for that."""
    if sum(sign * hits / of for sign, hits, of in terms) >= 0:
        return 1.0
    low, high = 0.0, 10.0
    for _ in range(40):  # the widest interval that stays below zero
        z = (low + high) / 2
        low, high = (z, high) if _upper(terms, z) < 0 else (low, z)
    return 1 - NORMAL.cdf(low)


def _upper(terms: Sequence[tuple[int, int, int]], z: float) -> float:
    """The upper limit of the sum of signed shares."""
    middle = squares = 0.0
    for sign, hits, of in terms:
        share, low, high = wilson(hits, of, z)
        middle += sign * share
        squares += ((high - share) if sign > 0 else (share - low)) ** 2
    return middle + sqrt(squares)
