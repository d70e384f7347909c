"""Suspicion that an own number is labelled: rare for honest traffic, and certain for a real drop."""

from __future__ import annotations

import random

import pytest

from reputation.own.suspicion import Network, NetworkCalls, suspicions_of

RUNS = 1000


def network_of(text: str) -> Network:
    """Parse `GB` or `GB EE`."""
    return Network(*text.split(" ", 1))


def traffic(chance: random.Random, shares: dict[str, float], calls: int, factor: float = 1.0) -> list[NetworkCalls]:
    """Make calls with random results. `factor` says how well all networks did."""

    def hits(share: float, of: int) -> int:
        return sum(chance.random() < share for _ in range(of))

    found = []
    for network, share in shares.items():
        of = round(calls * chance.uniform(0.4, 1.6))
        found.append(NetworkCalls(network_of(network), of, hits(share * factor, of), hits(0.002, of)))
    return found


def test_honest_numbers_are_hardly_ever_suspected() -> None:
    chance, wrong = random.Random(18), 0
    for _ in range(RUNS):
        shares = {network: chance.uniform(0.1, 0.6) for network in ("US", "GB", "CN", "FR")[: chance.randint(2, 4)]}
        before, lately = traffic(chance, shares, 600), traffic(chance, shares, 200, chance.uniform(0.85, 1.1))
        wrong += bool(suspicions_of(before, lately))
    print(f"false suspicions: {wrong / RUNS:.2%} of {RUNS} honest numbers")
    assert wrong / RUNS <= 0.01


def test_honest_numbers_are_hardly_suspected_with_networks() -> None:
    chance, wrong = random.Random(20), 0
    for _ in range(RUNS):
        names = ("GB EE", "GB O2", "GB Three", "GB", "US", "DE O2", "DE")
        shares = {network: chance.uniform(0.1, 0.6) for network in names}
        before, lately = traffic(chance, shares, 600), traffic(chance, shares, 200, chance.uniform(0.85, 1.1))
        wrong += bool(suspicions_of(before, lately))
    print(f"false suspicions, with networks: {wrong / RUNS:.2%} of {RUNS} honest numbers")
    assert wrong / RUNS <= 0.01


@pytest.mark.parametrize(
    ("drops", "network"),
    [
        pytest.param({"GB EE"}, "GB EE", id="one-network"),
        pytest.param({"GB EE", "GB O2", "GB Three"}, "GB", id="all-of-a-country"),
        pytest.param({"GB EE", "US"}, "GB EE, US", id="in-two-countries"),
    ],
)
def test_the_network_in_which_fewer_answer_is_named(drops: set[str], network: str) -> None:
    chance, found = random.Random(21), 0
    shares = dict.fromkeys(("GB EE", "GB O2", "GB Three", "US", "DE"), 0.4)
    for _ in range(100):
        dropped = shares | dict.fromkeys(drops, 0.2)
        before, lately = traffic(chance, shares, 900), traffic(chance, dropped, 400)
        found += {suspicion.network for suspicion in suspicions_of(before, lately)} == set(
            map(network_of, network.split(", "))
        )
    print(f"found: {found} of 100 numbers whose answered share halved in {network}")
    assert found >= 90


def test_a_network_that_answers_half_as_often_is_found() -> None:
    chance, found = random.Random(19), 0
    for _ in range(100):
        shares = {"US": 0.4, "GB": 0.4, "CN": 0.4}
        before, lately = traffic(chance, shares, 600), traffic(chance, shares | {"GB": 0.2}, 250)
        found += {suspicion.network for suspicion in suspicions_of(before, lately)} == {Network("GB")}
    print(f"found: {found} of 100 numbers whose answered share halved in one network")
    assert found >= 75


@pytest.mark.parametrize(
    ("lately", "found"),
    [
        pytest.param(NetworkCalls(Network("US"), 200, 80, 8), [("US", "blocked")], id="the-network-refuses"),
        pytest.param(NetworkCalls(Network("US"), 200, 80, 1), [], id="one-refusal-is-chance"),
        pytest.param(NetworkCalls(Network("US"), 200, 20), [("US", "answered")], id="fewer-answer"),
        pytest.param(NetworkCalls(Network("US"), 40, 0), [], id="too-few-calls"),
        pytest.param(NetworkCalls(Network("US"), 200, 160), [], id="more-answer"),
        pytest.param(NetworkCalls(Network("FR"), 200, 0), [], id="no-baseline"),
    ],
)
def test_a_suspicion_needs_a_clear_drop(lately: NetworkCalls, found: list[tuple[str, str]]) -> None:
    told = suspicions_of([NetworkCalls(Network("US"), 1000, 400, 0)], [lately])
    assert [(item.network.country, item.by) for item in told] == found
    assert all(0.99 < item.confidence <= 1 for item in told)


def test_a_bad_week_in_all_networks_is_no_suspicion() -> None:
    before = [NetworkCalls(Network(network), 1000, 400) for network in ("US", "GB", "CN")]
    assert suspicions_of(before, [NetworkCalls(Network(network), 300, 60) for network in ("US", "GB", "CN")]) == []
