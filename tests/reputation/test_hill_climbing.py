"""A search for a history in which people alone get a caller routed or rejected. It must never find one.

Attackers mark, hang up, let it ring, report outcomes of calls through the API, in any class of calls and at sites of
their own, and call traps with the victim's number. The victim fails every challenge. Look-ups where we report, lists
imported by hand, and neighbours are as the attackers like them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest

from reputation.evidence import Circumstances
from reputation.memory_store import MemoryStore
from reputation.model import (
    Attestation,
    AuthClass,
    ChallengeResult,
    EndedBy,
    Imported,
    Level,
    Mark,
    MarkChannel,
    Reputation,
    Verdict,
)
from reputation.outcome import OutcomeRecord
from reputation.scoring import reputation_of
from reputation.weights import DAY_SECONDS, DEFAULT
from tests.reputation.store_builders import CALLER, NOW, make_outcome

Act = Mark | OutcomeRecord
STEPS = 250
MOST_ACTS = 90
PEOPLE = [str(200 + n) for n in range(60)]
LIARS = [f"{site}:{200 + n}" for site in ("berlin", "paris") for n in range(20)]
DIDS = ["+442071838750", "+442071838751", "+442071838790"]


class Attack(NamedTuple):
    """A history and its surroundings, as the attacker chooses them."""

    acts: tuple[Act, ...] = ()
    people: int = 200
    attestation: Attestation = Attestation.NONE
    hour: int | None = None
    listed_neighbours: int = 0
    bad_neighbours: int = 0
    imported: tuple[Imported, ...] = ()


class Reached(NamedTuple):
    """How far an attack got, in order of importance."""

    level: Level
    height: float


def reputation_in(attack: Attack, auth_class: AuthClass) -> Reputation:
    store = MemoryStore()
    for act in attack.acts:
        store.add_mark(act) if isinstance(act, Mark) else store.learn(act)
    evidence = store.evidence(CALLER, auth_class, NOW)._replace(
        imported=attack.imported,
        listed_neighbours=attack.listed_neighbours,
        bad_neighbours=attack.bad_neighbours,
    )
    call = Circumstances(auth_class, attack.attestation, hour=attack.hour, people=attack.people)
    return reputation_of(evidence, call, DEFAULT, NOW)


def reached(attack: Attack) -> Reached:
    """Return how far an attack got in its best class of calls. Witnesses lead upwards where points do not."""
    found = [reputation_in(attack, auth_class) for auth_class in AuthClass]
    return max(Reached(item.level, item.log_odds + (item.witnesses.seen if item.witnesses else 0)) for item in found)


def recent_time(chance: Random) -> float:
    return NOW - chance.choice([0.1, 0.5, 1, 2, 5, 20, 80]) * DAY_SECONDS * chance.random()


def mark(chance: Random, name: str) -> Act:
    who = chance.choice([*PEOPLE, *LIARS])
    verdict = chance.choice([Verdict.SPAM, Verdict.SPAM, Verdict.SPAM, *Verdict])
    group, channel = f"group {chance.randrange(4)}", chance.choice(list(MarkChannel))
    return Mark(
        CALLER, chance.choice(list(AuthClass)), who, verdict, recent_time(chance), channel, group, linkedid=name
    )


def call(chance: Random, name: str) -> Act:
    """Make a call with any outcome that a person, another site or an API client may report."""
    site = chance.choice(["", "", "", "berlin:", "paris:"])
    by = chance.choice([None, f"{site}{chance.choice(PEOPLE)}"])
    return make_outcome(
        f"{site}{name}",
        recent_time(chance),
        by=by,
        talk=chance.choice([2.0, 40.0, 90.0]) if by else 0.0,
        ring=chance.choice([0.0, 3.0, 20.0]),
        ended_by=chance.choice(list(EndedBy)),
        rung=() if by else (chance.choice(PEOPLE),),
        voicemail_left=not by and chance.random() < 0.1,
        auth_class=chance.choice(list(AuthClass)),
        action=chance.choice(["allow", "allow", "tag", "warn"]),
        did=chance.choice(DIDS),
        source=chance.choice(["ami", "api"]),
    )


def failure(chance: Random, name: str) -> Act:
    result = chance.choice([ChallengeResult.SILENT, ChallengeResult.WRONG, ChallengeResult.ABANDONED])
    when, did, auth_class = recent_time(chance), chance.choice(DIDS), chance.choice(list(AuthClass))
    return make_outcome(name, when, ring=0.0, action="challenge", challenge=result, did=did, auth_class=auth_class)


def spoofed_trap_call(chance: Random, name: str) -> Act:
    return make_outcome(
        name,
        recent_time(chance),
        ring=0.0,
        trap=True,
        did=chance.choice(DIDS),
        auth_class=chance.choice(list(AuthClass)),
    )


ACTS: tuple[Callable[[Random, str], Act], ...] = (mark, call, call, failure, spoofed_trap_call)


def surroundings(attack: Attack, chance: Random) -> Attack:
    """Change something besides the history: the office, the network, neighbours, or sources that are not outside."""
    reported = [Imported(f"s{n}", "spam", is_feed=False, looked_up=n % 2 == 0, is_proven=n < 2) for n in range(4)]
    change = chance.randrange(6)
    if change == 0:
        return attack._replace(people=chance.choice([1, 4, 20, 80, 200, 1000]))
    if change == 1:
        return attack._replace(attestation=chance.choice(list(Attestation)))
    if change == 2:
        return attack._replace(hour=chance.choice([None, 3, 12]))
    if change == 3:
        return attack._replace(listed_neighbours=chance.randrange(10))
    if change == 4:
        return attack._replace(bad_neighbours=chance.randrange(10))
    outside = tuple(item for item in attack.imported if item.is_feed)
    return attack._replace(imported=(*outside, *reported[: chance.randrange(5)]))


def mutated(attack: Attack, chance: Random, step: int) -> Attack:
    """Return the attack with some acts added or removed, or with other surroundings."""
    kind = chance.randrange(10)
    if kind == 0:
        return surroundings(attack, chance)
    if kind < 3 or len(attack.acts) >= MOST_ACTS:
        gone = chance.randrange(len(attack.acts)) if attack.acts else 0
        return attack._replace(acts=(*attack.acts[:gone], *attack.acts[gone + 1 :]))
    new = [chance.choice(ACTS)(chance, f"c{step}.{n}") for n in range(chance.choice([1, 1, 3, 10]))]
    return attack._replace(acts=(*attack.acts, *new))


def climbed(start: Attack, seed: int) -> Reached:
    """Return the best result of the search."""
    chance, best, height = Random(seed), start, reached(start)
    for step in range(STEPS):
        attack = mutated(best, chance, step)
        found = reached(attack)
        if found >= height:
            best, height = attack, found
        if height.level > Level.CHALLENGE:
            break
    return height


@pytest.mark.parametrize("seed", range(4))
def test_people_alone_never_lead_beyond_a_challenge(seed: int) -> None:
    assert climbed(Attack(), seed).level is Level.CHALLENGE, "as far as people get, and the search gets that far"


@pytest.mark.parametrize("seed", range(2))
def test_the_search_gets_a_number_on_a_feed_beyond_a_challenge(seed: int) -> None:
    """So the search would find a way up if there were one."""
    assert climbed(Attack(imported=(Imported("feed", "spam"),)), seed).level > Level.CHALLENGE
