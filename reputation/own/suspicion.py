"""Find networks in which calls from an own number suddenly do worse: the number may be labelled there. Pure functions.

The change in a network's share of answered calls is compared with the change in the number's other networks, because a
holiday or another list of people changes all networks. The expected answers are computed from each network's earlier
share, so more calls into a network that answers less are not a drop. Each change is a ratio whose logarithm is
approximately normal (Katz and others, 1978). The share of calls refused by the network is compared with the earlier
share by Newcombe's interval (1998). A result is only a suspicion: calling other people may have the same effect.

Countries are compared, and within a country the networks to which ranges of numbers were assigned. A number that was
ported still counts for its first network, so a drop in a network looks smaller than it is and partly shows in others.
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

from reputation.encoding import encoded
from reputation.formulas import wilson
from reputation.own.daily_counts import percent
from reputation.wording import Places, Wording

LATELY_DAYS, BEFORE_DAYS = 7, 21
LEAST_LATELY, LEAST_BEFORE = 50, 100
ALPHA = 0.005  # of one number and look, over all of its networks and both comparisons
MOST_ROUNDS = 5
NORMAL = NormalDist()


class Network(NamedTuple):
    """A country, and a network to which a range of numbers was assigned.

    Attributes:
        country: ISO 3166-1 code of the country.
        name: The name of the network; empty: the whole country, or an unknown network.
    """

    country: str
    name: str = ""


class NetworkCalls(NamedTuple):
    """How many calls went from a number into a network, how many people answered, and how many the network refused."""

    network: Network
    calls: int
    answered: int
    blocked: int = 0


class Suspicion(NamedTuple):
    """A network in which an own number may be labelled.

    Attributes:
        network: The network that the suspicion is about.
        by: `answered`: fewer calls are answered. `blocked`: more calls are refused.
        before: The share of answered or refused calls before the change, from 0 to 1.
        lately: The share since the change.
        calls_before: How many calls were made in the weeks before.
        calls_lately: How many calls were made since the change.
        confidence: How certain it is that this is no coincidence, from 0 to 1, given all comparisons of the number.
    """

    network: Network
    by: str
    before: float
    lately: float
    calls_before: int
    calls_lately: int
    confidence: float

    @property
    @encoded
    def platforms(self) -> tuple[Labeller, ...]:
        """The platforms that show labels in this network."""
        return labellers_of(self.network)


def suspicions_of(before: Sequence[NetworkCalls], lately: Sequence[NetworkCalls]) -> list[Suspicion]:
    """Return the networks in which the number may be labelled, the most certain first.

    If calls do worse in a country than elsewhere, the result has the country's networks that do worse than its others,
    or else the country itself. In other countries, the result has each network that does worse than all others. A
    suspected network distorts the comparison of others, so they are compared again without it.
    """
    units = _comparable(before, lately)
    suspicions: list[Suspicion] = []
    for _ in range(MOST_ROUNDS):
        suspected = {suspicion.network for suspicion in suspicions}
        suspicions = _suspicions(units, suspected)
        if {suspicion.network for suspicion in suspicions} == suspected:
            break
    return sorted(suspicions, key=lambda suspicion: (-suspicion.confidence, suspicion.network, suspicion.by))


def _suspicions(units: Sequence[_Unit], suspected: Collection[Network]) -> list[Suspicion]:
    countries = {country: [unit for unit in units if unit.network.country == country] for country in _countries(units)}
    named = [unit for unit in units if unit.network.name and unit.is_enough]
    tested = [
        country
        for country, in_country in countries.items()
        if sum(unit.now.calls for unit in in_country) >= LEAST_LATELY
    ]
    comparisons = 2 * (len(tested) + len(named))
    suspicions: list[Suspicion] = []
    for country in tested:
        in_country = countries[country]
        elsewhere = [unit for unit in units if unit.network.country != country]
        whole = _significant(Network(country), in_country, _control(elsewhere, suspected), comparisons)
        around = in_country if whole else units
        networks = [
            suspicion
            for unit in named
            if unit.network.country == country
            for suspicion in _significant(
                unit.network, [unit], _control([other for other in around if other is not unit], suspected), comparisons
            )
        ]
        suspicions += networks or whole
    return suspicions


def _control(units: Sequence[_Unit], suspected: Collection[Network]) -> Sequence[_Unit]:
    rest = [unit for unit in units if not {unit.network, Network(unit.network.country)} & set(suspected)]
    return rest if sum(unit.now.calls for unit in rest) >= LEAST_LATELY else units


class _Unit(NamedTuple):
    was: NetworkCalls
    now: NetworkCalls

    @property
    def network(self) -> Network:
        return self.was.network

    @property
    def is_enough(self) -> bool:
        return self.now.calls >= LEAST_LATELY


def _comparable(before: Sequence[NetworkCalls], lately: Sequence[NetworkCalls]) -> list[_Unit]:
    """Return the networks with enough calls. A country's small networks are combined if they have enough together."""
    enough = {network_calls.network for network_calls in before if network_calls.calls >= LEAST_BEFORE}
    was, now = _merged(before, enough), _merged(lately, enough)
    return [
        _Unit(total, now[network])
        for network, total in was.items()
        if total.calls >= LEAST_BEFORE and now[network].calls
    ]


def _merged(calls: Iterable[NetworkCalls], kept: set[Network]) -> defaultdict[Network, NetworkCalls]:
    totals: defaultdict[Network, NetworkCalls] = defaultdict(lambda: NetworkCalls(Network(""), 0, 0))
    for total in calls:
        network = total.network if total.network in kept else Network(total.network.country)
        before = totals[network]
        counts = (before.calls + total.calls, before.answered + total.answered, before.blocked + total.blocked)
        totals[network] = NetworkCalls(network, *counts)
    return totals


def _countries(units: Iterable[_Unit]) -> list[str]:
    return list(dict.fromkeys(unit.network.country for unit in units))


def _significant(network: Network, units: Sequence[_Unit], rest: Sequence[_Unit], comparisons: int) -> list[Suspicion]:
    """Return a suspicion for each share of calls in `units` (answered, blocked) that got significantly worse.

    `rest`: the control group. `comparisons`: for how many comparisons the significance is corrected.
    """
    was, now = _sum(network, (unit.was for unit in units)), _sum(network, (unit.now for unit in units))
    blocked = [(-1, now.blocked, now.calls), (1, was.blocked, was.calls)]
    suspicions = []
    for by, chance, hits_before, hits_now in (
        ("answered", _chance_of_answers(units, rest), was.answered, now.answered),
        ("blocked", _chance(blocked), was.blocked, now.blocked),
    ):
        whole = min(1.0, comparisons * chance)
        if whole <= ALPHA:
            shares = hits_before / was.calls, hits_now / now.calls
            suspicions.append(Suspicion(network, by, *shares, was.calls, now.calls, 1 - whole))
    return suspicions


def _sum(network: Network, calls: Iterable[NetworkCalls]) -> NetworkCalls:
    parts = list(calls)
    totals = (
        sum(part.calls for part in parts),
        sum(part.answered for part in parts),
        sum(part.blocked for part in parts),
    )
    return NetworkCalls(network, *totals)


def _chance_of_answers(units: Sequence[_Unit], rest: Sequence[_Unit]) -> float:
    """Return the probability that chance explains so few answers in `units`.

    A `rest` with too few calls is not used.
    """
    ratio, variance = _change(units)
    if sum(unit.now.calls for unit in rest) >= LEAST_LATELY:
        of_rest, variance_of_rest = _change(rest)
        ratio, variance = ratio - of_rest, variance + variance_of_rest
    return NORMAL.cdf(ratio / sqrt(variance)) if ratio < 0 else 1.0


def _change(units: Sequence[_Unit]) -> tuple[float, float]:
    """Return the logarithm of (answers / expected answers) in the networks `units`, and the logarithm's variance.

    The expected answers follow from the earlier share of answered calls in each network.
    """
    answered, calls = sum(unit.now.answered for unit in units), sum(unit.now.calls for unit in units)
    expected, before = (
        sum(_share(unit.was) * unit.now.calls for unit in units),
        sum(unit.was.answered for unit in units),
    )
    share = min(1.0, expected / calls)
    ratio = log((answered + 0.5) / (expected + 0.5))
    return ratio, _variance(answered, min(1.0, (answered + 0.5) / (calls + 1))) + _variance(before, share)


def _share(calls: NetworkCalls) -> float:
    return (calls.answered + 0.5) / (calls.calls + 1)


def _variance(answered: int, share: float) -> float:
    return (1 - share) / (answered + 0.5)


def _chance(terms: Sequence[tuple[int, int, int]]) -> float:
    """Return at most how probable it is that the real shares, each with its sign, add up to zero or more.

    `terms`: for each share its sign, its hits and its cases. The result is 1 if the measured shares already do so.
    """
    if sum(sign * hits / of for sign, hits, of in terms) >= 0:
        return 1.0
    low, high = 0.0, 10.0
    for _ in range(40):  # the widest interval that stays below zero
        z = (low + high) / 2
        low, high = (z, high) if _upper(terms, z) < 0 else (low, z)
    return 1 - NORMAL.cdf(low)


def _upper(terms: Sequence[tuple[int, int, int]], z: float) -> float:
    middle = squares = 0.0
    for sign, hits, of in terms:
        share, low, high = wilson(hits, of, z)
        middle += sign * share
        squares += ((high - share) if sign > 0 else (share - low)) ** 2
    return middle + sqrt(squares)


# A suspicion in words, and who shows labels there. Pure.


def place_of(network: Network) -> str | Wording:
    """Return the network as text: a country such as `GB`, or a network such as `EE (GB)`."""
    if not network.name:
        return network.country
    return Wording("{network} ({country})", {"network": network.name, "country": network.country})


def suspicion_words(suspicion: Suspicion) -> Wording:
    """Return a sentence with the network, the shares before and after the change, and the confidence."""
    about: Places = {
        "where": place_of(suspicion.network),
        "days": LATELY_DAYS,
        "lately": percent(suspicion.lately),
        "days_before": BEFORE_DAYS,
        "before": percent(suspicion.before),
        "confidence": confidence_text(suspicion.confidence),
    }
    if suspicion.by == "blocked":
        return Wording(
            "{where}: networks refused {lately} of the calls in the last {days} days, and {before} in the "
            "{days_before} days before (confidence {confidence})",
            about,
        )
    return Wording(
        "{where}: {lately} of the calls in the last {days} days were answered, and {before} in the "
        "{days_before} days before (confidence {confidence})",
        about,
    )


def confidence_text(confidence: float) -> str:
    """Format a confidence such as `99.6%`, at most 99.99%."""
    return f"{min(confidence, 0.9999):.2%}"


def labeller_words(labeller: Labeller) -> Wording:
    """Return a text that says on which networks or phones the platform shows its labels."""
    if labeller.on == "network":
        return Wording(
            "{platform}: on the network {network}", {"platform": labeller.platform, "network": labeller.networks[0]}
        )
    if labeller.phones:
        return Wording("{platform}: on phones of {maker}", {"platform": labeller.platform, "maker": labeller.phones})
    return Wording("{platform}: on phones in every network", {"platform": labeller.platform})


# Who shows labels of calls where: labellers.toml, each row with the page that says so.
#
#     labellers_of(Network("GB", "EE")) -> those of the network first, then what phones and apps of the country show
#
# In the US and Great Britain a network has its labels from one company. In China phones and apps show them, each its
# own, whatever the network: there no network says which platform it was.


class Labeller(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A platform that shows labels for callers.

    Attributes:
        country: ISO 3166-1 code of the country.
        platform: The name of the platform.
        pack: The name of the platform in the option `own pack --for`, which makes an evidence pack.
        source: The address of the page with this information.
        on: Where labels are shown: `network` (some networks only) or `phone` (phones in every network).
        networks: The first words of the names of its networks.
        phones: The maker whose phones show labels; empty for an app or several makers.
    """

    country: str
    platform: str
    pack: str
    source: str
    on: Literal["network", "phone"] = "network"
    networks: tuple[str, ...] = ()
    phones: str = ""


class LabellerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of labellers.toml. `read`: the day on which the sources of the rows were read."""

    read: date
    labeller: tuple[Labeller, ...]


@lru_cache(maxsize=1)
def labellers() -> LabellerFile:
    """Return the rows of the shipped file labellers.toml. An error in this file is a bug, so errors are not handled."""
    return msgspec.toml.decode((files("reputation.own") / "labellers.toml").read_bytes(), type=LabellerFile)


def labellers_of(network: Network) -> tuple[Labeller, ...]:
    """Return the platforms that may label calls in this network or country; platforms of networks come first."""
    in_country = [labeller for labeller in labellers().labeller if labeller.country == network.country]
    name = network.name.casefold()
    of_network = [
        labeller
        for labeller in in_country
        if labeller.on == "network"
        and (not name or any(_begins(name, known.casefold()) for known in labeller.networks))
    ]
    return (*of_network, *(labeller for labeller in in_country if labeller.on == "phone"))


def _begins(name: str, known: str) -> bool:
    return name.startswith(known) and not name[len(known) :][:1].isalnum()
