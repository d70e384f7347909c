"""In which network the calls of an own number suddenly fare worse than they did: it may be marked there. Pure.

    suspicions_of(before, lately) -> the networks in which that is no chance, each with a confidence

The share of answered calls of a network, now to before, is compared with what became of that share in the number's
other networks meanwhile (a holiday, another list of people): the others' answers now to those that their shares of
before let expect, so that more calls into a network that answers less are no drop. Both are ratios, whose logarithms
are about normal (Katz and others, 1978). The share that networks refused is compared with that of before, by Newcombe's
interval (1998). It is a suspicion and no fact: other people called, or another script, look the same.

Compared are countries, and within them the networks to which ranges of numbers were given. Whoever took a number along
to another network stands with the first one, so a drop in one network looks smaller than it is, and some of it is seen
in the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from math import log, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

import msgspec

from reputation.encoding import told
from reputation.formulas import wilson
from reputation.own.daily_counts import percent
from reputation.wording import Places, Wording

LATELY_DAYS, BEFORE_DAYS = 7, 21
LEAST_LATELY, LEAST_BEFORE = 50, 100
ALPHA = 0.005  # of one number and look, over all of its networks and both comparisons
MOST_ROUNDS = 5
NORMAL = NormalDist()


class Network(NamedTuple):
    """Where calls went: a country, by its two letters, and the network whose range it is; `name` empty: all of the
    country, or what no network is known of.

    Attributes:
        country: ISO 3166-1 code of the country.
        name: The name.
    """

    country: str
    name: str = ""


class NetworkCalls(NamedTuple):
    """Calls of one number into one network: how many, how many people answered, and how many the network refused."""

    network: Network
    calls: int
    answered: int
    blocked: int = 0


class Suspicion(NamedTuple):
    """`by`: `answered`, fewer are, or `blocked`, more are refused. Shares before and lately, of so many calls; the
    `confidence` that this is no chance, all comparisons of the number taken together.

    Attributes:
        network: The network that the suspicion is about.
        before: How it was before the change; null where there was nothing.
        lately: The share lately.
        calls_before: Number of calls in the weeks before.
        calls_lately: Number of calls lately.
        confidence: How sure this is, from 0 to 1.
    """

    network: Network
    by: str
    before: float
    lately: float
    calls_before: int
    calls_lately: int
    confidence: float

    @property
    @told
    def platforms(self) -> tuple[Labeller, ...]:
        """Who shows labels there."""
        return labellers_of(self.network)


def suspicions_of(before: Sequence[NetworkCalls], lately: Sequence[NetworkCalls]) -> list[Suspicion]:
    """Where the number may be marked, the surest first.

    A country whose calls fare worse than those elsewhere is named by the networks that fare worse than its others, or
    as a whole where none does; and any network that fares worse than all the rest. What is suspected says nothing of
    how a week was, so the others are compared once more without it: a number may be marked in several networks.
    """
    units = _comparable(before, lately)
    found: list[Suspicion] = []
    for _ in range(MOST_ROUNDS):
        suspected = {one.network for one in found}
        found = _suspicions(units, suspected)
        if {one.network for one in found} == suspected:
            break
    return sorted(found, key=lambda one: (-one.confidence, one.network, one.by))


def _suspicions(units: Sequence[_Unit], suspected: Collection[Network]) -> list[Suspicion]:
    """In one round, after one that found the `suspected`."""
    countries = {country: [one for one in units if one.network.country == country] for country in _countries(units)}
    named = [one for one in units if one.network.name and one.is_enough]
    tested = [country for country, there in countries.items() if sum(one.now.calls for one in there) >= LEAST_LATELY]
    comparisons = 2 * (len(tested) + len(named))
    found: list[Suspicion] = []
    for country in tested:
        there = countries[country]
        elsewhere = [one for one in units if one.network.country != country]
        whole = _found(Network(country), there, _control(elsewhere, suspected), comparisons)
        around = there if whole else units
        networks = [
            suspicion
            for one in named
            if one.network.country == country
            for suspicion in _found(
                one.network, [one], _control([rest for rest in around if rest is not one], suspected), comparisons
            )
        ]
        found += networks or whole
    return found


def _control(units: Sequence[_Unit], suspected: Collection[Network]) -> Sequence[_Unit]:
    """Those of them that are not suspected; all, where these are too few to compare with."""
    rest = [one for one in units if not {one.network, Network(one.network.country)} & set(suspected)]
    return rest if sum(one.now.calls for one in rest) >= LEAST_LATELY else units


class _Unit(NamedTuple):
    """Calls into one network, before and lately."""

    was: NetworkCalls
    now: NetworkCalls

    @property
    def network(self) -> Network:
        return self.was.network

    @property
    def is_enough(self) -> bool:
        return self.now.calls >= LEAST_LATELY


def _comparable(before: Sequence[NetworkCalls], lately: Sequence[NetworkCalls]) -> list[_Unit]:
    """The networks with enough calls before; the others of a country together, where they have."""
    enough = {one.network for one in before if one.calls >= LEAST_BEFORE}
    was, now = _merged(before, enough), _merged(lately, enough)
    return [
        _Unit(one, now[network]) for network, one in was.items() if one.calls >= LEAST_BEFORE and now[network].calls
    ]


def _merged(calls: Iterable[NetworkCalls], kept: set[Network]) -> defaultdict[Network, NetworkCalls]:
    """By network; what is not kept counts to its country."""
    found: defaultdict[Network, NetworkCalls] = defaultdict(lambda: NetworkCalls(Network(""), 0, 0))
    for one in calls:
        network = one.network if one.network in kept else Network(one.network.country)
        before = found[network]
        counts = (before.calls + one.calls, before.answered + one.answered, before.blocked + one.blocked)
        found[network] = NetworkCalls(network, *counts)
    return found


def _countries(units: Iterable[_Unit]) -> list[str]:
    return list(dict.fromkeys(one.network.country for one in units))


def _found(network: Network, units: Sequence[_Unit], rest: Sequence[_Unit], comparisons: int) -> list[Suspicion]:
    """What is no chance in these, compared with the rest, of so many comparisons."""
    was, now = _sum(network, (one.was for one in units)), _sum(network, (one.now for one in units))
    blocked = [(-1, now.blocked, now.calls), (1, was.blocked, was.calls)]
    found = []
    for by, chance, one, other in (
        ("answered", _chance_of_answers(units, rest), was.answered, now.answered),
        ("blocked", _chance(blocked), was.blocked, now.blocked),
    ):
        whole = min(1.0, comparisons * chance)
        if whole <= ALPHA:
            shares = one / was.calls, other / now.calls
            found.append(Suspicion(network, by, *shares, was.calls, now.calls, 1 - whole))
    return found


def _sum(network: Network, calls: Iterable[NetworkCalls]) -> NetworkCalls:
    parts = list(calls)
    totals = (sum(one.calls for one in parts), sum(one.answered for one in parts), sum(one.blocked for one in parts))
    return NetworkCalls(network, *totals)


def _chance_of_answers(units: Sequence[_Unit], rest: Sequence[_Unit]) -> float:
    """How likely it is that as few answer by chance. `rest`: what else there is; with too few calls: no control."""
    ratio, variance = _change(units)
    if sum(one.now.calls for one in rest) >= LEAST_LATELY:
        of_rest, variance_of_rest = _change(rest)
        ratio, variance = ratio - of_rest, variance + variance_of_rest
    return NORMAL.cdf(ratio / sqrt(variance)) if ratio < 0 else 1.0


def _change(units: Sequence[_Unit]) -> tuple[float, float]:
    """The logarithm of answers to those that the shares of before let expect, and its variance."""
    answered, calls = sum(one.now.answered for one in units), sum(one.now.calls for one in units)
    expected, before = sum(_share(one.was) * one.now.calls for one in units), sum(one.was.answered for one in units)
    share = min(1.0, expected / calls)
    ratio = log((answered + 0.5) / (expected + 0.5))
    return ratio, _variance(answered, min(1.0, (answered + 0.5) / (calls + 1))) + _variance(before, share)


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


# A suspicion in words, and who shows labels there. Pure.


def place_of(network: Network) -> str | Wording:
    """`GB`, or `EE (GB)`."""
    if not network.name:
        return network.country
    return Wording("{network} ({country})", {"network": network.name, "country": network.country})


def suspicion_words(one: Suspicion) -> Wording:
    """Where, the share now, the share before, and the confidence."""
    about: Places = {
        "where": place_of(one.network),
        "days": LATELY_DAYS,
        "lately": percent(one.lately),
        "days_before": BEFORE_DAYS,
        "before": percent(one.before),
        "confidence": confidence_text(one.confidence),
    }
    if one.by == "blocked":
        return Wording(
            "{where}: of calls in the last {days} days networks refused {lately}, of those in the {days_before} days "
            "before {before} (confidence {confidence})",
            about,
        )
    return Wording(
        "{where}: of calls in the last {days} days {lately} were answered, of those in the {days_before} days before "
        "{before} (confidence {confidence})",
        about,
    )


def confidence_text(confidence: float) -> str:
    """`99.6%`; never 100."""
    return f"{min(confidence, 0.9999):.2%}"


def labeller_words(one: Labeller) -> Wording:
    """Where the platform shows its labels."""
    if one.on == "network":
        return Wording("{platform}: on the network {network}", {"platform": one.platform, "network": one.networks[0]})
    if one.phones:
        return Wording("{platform}: on phones of {maker}", {"platform": one.platform, "maker": one.phones})
    return Wording("{platform}: on phones, of every network", {"platform": one.platform})


# Who shows labels of calls where: labellers.toml, each row with the page that says so.
#
#     labellers_of(Network("GB", "EE")) -> those of the network first, then what phones and apps of the country show
#
# In the US and Great Britain a network has its labels from one company. In China phones and apps show them, each its
# own, whatever the network: there no network says which platform it was.


class Labeller(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A platform that shows labels. `on`: on the networks whose names begin so, or on phones, of every network.

    `phones`: of which maker, "" for several or an app; `pack`: as `own pack --for` has it; `source`: an address.

    Attributes:
        country: ISO 3166-1 code of the country.
        platform: The platform that shows labels.
        pack: The platform of an evidence pack.
        source: Where it comes from.
        on: Where or whether it is on.
        networks: The networks whose names begin so.
        phones: The maker of the phones, empty for several or an app.
    """

    country: str
    platform: str
    pack: str
    source: str
    on: Literal["network", "phone"] = "network"
    networks: tuple[str, ...] = ()
    phones: str = ""


class LabellerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rows. `read`: when their pages were."""

    read: date
    labeller: tuple[Labeller, ...]


@lru_cache(maxsize=1)
def labellers() -> LabellerFile:
    """The file is ours: a wrong one is a bug, and raises."""
    return msgspec.toml.decode((files("reputation.own") / "labellers.toml").read_bytes(), type=LabellerFile)


def labellers_of(network: Network) -> tuple[Labeller, ...]:
    """Who may show a label there. Of a country as a whole all of its rows: the calls do not say which network it is."""
    there = [one for one in labellers().labeller if one.country == network.country]
    name = network.name.casefold()
    of_network = [
        one
        for one in there
        if one.on == "network" and (not name or any(_begins(name, known.casefold()) for known in one.networks))
    ]
    return (*of_network, *(one for one in there if one.on == "phone"))


def _begins(name: str, known: str) -> bool:
    """`Verizon` is how `Verizon Wireless` begins, and not `O2` how `O2online` does."""
    return name.startswith(known) and not name[len(known) :][:1].isalnum()
