"""Measures ways to tell an owner's calls from those of an automated caller that spoofs the number.

    python -m benchmarks.accuracy.spoofed_owner [--seeds 1001-1010]

The table also shows how spam could abuse each way. Each variant runs the real code with a change to the evidence that
counts for a call. In the variant "unchanged product" nothing is changed. That an owner proves control is possible in
the product (`[appeals]` or `callsieve identity`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import NamedTuple

from rich.console import Console

from benchmarks.accuracy.attacks import SPOOFED, SPOOFED_ELSEWHERE, attacked
from benchmarks.accuracy.call_outcomes import NUMBER, Dated, Proof, marking
from benchmarks.accuracy.callers import Attempt
from benchmarks.accuracy.closed_loop import Counted, Site, Tally, tallies_of
from benchmarks.accuracy.estimates import share_of
from benchmarks.accuracy.office import (
    Caller,
    Office,
    Plan,
    established_machine,
    in_order,
    make_office,
    new_number,
    spammer,
)
from benchmarks.accuracy.offices import SPAM_ONLY
from benchmarks.accuracy.parameters import DAY_SECONDS, STANDARD, START, Kind, Parameters
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.running import seeds_of
from benchmarks.accuracy.screening import STRICT, Memory, OneMemory, Screening
from benchmarks.accuracy.tables import Sheet, markdown, terminal_table
from policies.decision import Action, Decision
from reputation.memory_store import MemoryStore
from reputation.model import Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import proofs_of_control
from reputation.weights import DEFAULT, Weights

TRUNKS = ("trunk-1", "trunk-2")
AGED_DAYS = 5.0
NEW_MACHINES, ESTABLISHED = 10, 2  # numbers per seed


@dataclass(slots=True)
class TrunkMemory:
    """A memory with separate evidence for each trunk.

    A number's home is the trunk on which it called first, if it did so `home_days` before it called on another trunk.
    Calls on the home trunk are judged only by the evidence of this trunk. Other calls are judged by all evidence. If
    `home_days` is None, each call is judged by the evidence of its own trunk.
    """

    weights: Weights
    home_days: float | None = None
    stores: Sequence[MemoryStore] = ()
    _first_at: dict[str, float] = field(default_factory=dict)
    _trunk_of: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stores = [MemoryStore(self.weights) for _ in range(1 + len(TRUNKS))]

    def learn(self, outcome: OutcomeRecord) -> None:
        """Learn from an ended call. An outgoing call to the number counts for every trunk."""
        trunk = outcome.trunk if outcome.trunk in TRUNKS else None
        if trunk is not None:
            self._first_at.setdefault(trunk, outcome.at)
            self._trunk_of[outcome.linkedid] = trunk
        for store in self._of(trunk):
            store.learn(outcome)

    def add_mark(self, mark: Mark) -> None:
        """Record a mark. A mark without a call counts for every trunk."""
        for store in self._of(self._trunk_of.get(mark.linkedid or "")):
            store.add_mark(mark)

    def store_for(self, trunk: str, now: float) -> MemoryStore:
        own = self.stores[1 + TRUNKS.index(trunk)]
        if self.home_days is None:
            return own
        others = [at for name, at in self._first_at.items() if name != trunk]
        first_elsewhere, first_here = min(others, default=now), self._first_at.get(trunk, now)
        return own if first_elsewhere - first_here >= self.home_days * DAY_SECONDS else self.stores[0]

    def _of(self, trunk: str | None) -> Sequence[MemoryStore]:
        return self.stores if trunk is None else (self.stores[0], self.stores[1 + TRUNKS.index(trunk)])


@dataclass(slots=True)
class VouchedMemory:
    """A memory in which "not spam" marks count as a passed challenge, once `people` different people have made one."""

    weights: Weights
    people: int
    stores: Sequence[MemoryStore] = ()
    _vouching: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.stores = (MemoryStore(self.weights),)

    def learn(self, outcome: OutcomeRecord) -> None:
        self.stores[0].learn(outcome)

    def add_mark(self, mark: Mark) -> None:
        self.stores[0].add_mark(mark)
        if mark.verdict is Verdict.OK and mark.reporter not in self._vouching:
            self._vouching.add(mark.reporter)
            if len(self._vouching) % self.people == 0:
                for proof in proofs_of_control(NUMBER, mark.at):
                    self.stores[0].add_challenge(proof)

    def store_for(self, _trunk: str, _now: float) -> MemoryStore:
        return self.stores[0]


OWNER, SIGNED, ROBOT = "owner's calls", "signed", "robot's calls"
SPAM, TRUNKS_OF_SPAM, VOUCHED = "spam", "spam by trunks", "vouched"


class Variant(NamedTuple):
    """A way to recognise the owner of a number, which the benchmark tries.

    Attributes:
        memory: Creates the store of evidence.
        notice: Share of people who say "not spam" after the message that a machine's call was stopped.
        proves_days: After how many days from the first challenged call the owner proves control of the number. Spammers
            who own their numbers do the same. None: nobody proves control.
        changes: The kinds of scenes (`Scene.about`) in which the variant can differ from the product.
    """

    name: str
    memory: Callable[[Weights], Memory] = OneMemory
    notice: float = 0.0
    proves_days: float | None = None
    changes: tuple[str, ...] = (OWNER, ROBOT)


VARIANTS = (
    Variant("unchanged product", changes=(OWNER, SIGNED, ROBOT, SPAM, TRUNKS_OF_SPAM, VOUCHED)),
    Variant("evidence per trunk", TrunkMemory, changes=(OWNER, ROBOT, TRUNKS_OF_SPAM)),
    Variant(
        "evidence per trunk, after 1 day on the first trunk only",
        partial(TrunkMemory, home_days=1.0),
        changes=(OWNER, ROBOT, TRUNKS_OF_SPAM),
    ),
    Variant(
        "evidence per trunk, after 5 days on the first trunk only",
        partial(TrunkMemory, home_days=5.0),
        changes=(OWNER, ROBOT, TRUNKS_OF_SPAM),
    ),
    Variant('15 % of people say "not spam" after a stopped call', notice=0.15),
    Variant('50 % of people say "not spam" after a stopped call', notice=0.5),
    Variant(
        '15 % of people say "not spam" after a stopped call, and two of them count as a passed challenge',
        partial(VouchedMemory, people=2),
        0.15,
        changes=(OWNER, ROBOT, VOUCHED),
    ),
    Variant("owner proves control of the number after 7 days", proves_days=7.0, changes=(OWNER, ROBOT, SPAM)),
    Variant("owner proves control of the number after 2 days", proves_days=2.0, changes=(OWNER, ROBOT, SPAM)),
    Variant("owner proves control of the number after an hour", proves_days=1 / 24, changes=(OWNER, ROBOT, SPAM)),
)


class Scene(NamedTuple):
    """A simulated situation.

    `about`: whose calls are counted, as in `Variant.changes`. The calls are counted from `read_from_day` on.
    """

    name: str
    about: str
    plans: Callable[[Office], Iterator[Plan]]
    read_from_day: float
    parameters: Parameters = STANDARD


def _machines(attack: str, office: Office) -> Iterator[Plan]:
    for place in range(NEW_MACHINES):
        yield attacked(office, new_number(office, Kind.NEW_MACHINE, place), attack, 0, place)


def _signed_machines(office: Office) -> Iterator[Plan]:
    """Yield the plans of wanted automated callers whose calls have a verified signature, unlike the spoofed calls."""
    for plan in _machines(SPOOFED, office):
        own = plan.line.nature
        yield plan._replace(
            events=[
                (at, event._replace(line=event.line._replace(signed=1.0)))
                if isinstance(event, Attempt) and event.line.nature is own
                else (at, event)
                for at, event in plan.events
            ]
        )


def _established(attack: str, office: Office) -> Iterator[Plan]:
    for place in range(ESTABLISHED):
        yield attacked(office, established_machine(office, place), attack, 0, place)


def _robots(attack: str, office: Office) -> Iterator[Plan]:
    """Yield the same plans as `_machines`, but count the spoofed calls instead of the owner's."""
    for plan in _machines(attack, office):
        own = plan.line.nature
        yield plan._replace(
            events=[
                (at, event._replace(counted=event.line.nature is not own) if isinstance(event, Attempt) else event)
                for at, event in plan.events
            ]
        )


def _spam(office: Office) -> Iterator[Plan]:
    return (spammer(office, place) for place in range(office.parameters.spammers))


def _by_two_trunks(office: Office) -> Iterator[Plan]:
    """Yield plans of spam in which each call arrives on one of two trunks at random."""
    for place, plan in enumerate(_spam(office)):
        chance = office.chance("trunks", place)
        yield plan._replace(events=[_by(dated, chance.choice(TRUNKS)) for dated in plan.events])


def _aged(trunks: Sequence[str], office: Office) -> Iterator[Plan]:
    """Yield plans of spam that calls once a day at first, like a new line, and later often, on random trunks."""
    for place, plan in enumerate(_spam(office)):
        chance = office.chance("aged", place)
        caller = Caller(office, Kind.SPAM, f"aged/{place}", plan.line.nature)
        first = min((at for at, event in plan.events if isinstance(event, Attempt)), default=None)
        if first is None:
            continue
        first_day = (first - START) / DAY_SECONDS
        before = caller.steady(1.0, max(0.0, first_day - AGED_DAYS), first_day)
        quiet = [(at, event._replace(counted=False)) for at, event in before if isinstance(event, Attempt)]
        yield plan._replace(events=in_order([*quiet, *[_by(dated, chance.choice(trunks)) for dated in plan.events]]))


def _with_accomplices(office: Office) -> Iterator[Plan]:
    """Yield plans of spam whose number two people mark "not spam", on its first day and every 30 days."""
    for place, plan in enumerate(_spam(office)):
        calls = [at for at, event in plan.events if isinstance(event, Attempt)]
        if not calls:
            continue
        friends = office.chance("friends", place).sample(office.users, 2)
        praise: list[Dated] = [marking(user, calls[0] + 3600.0, None, Verdict.OK) for user in friends]
        yield plan._replace(events=in_order([*plan.events, *praise]))


def _by(dated: Dated, trunk: str) -> Dated:
    at, event = dated
    return (at, event._replace(line=event.line._replace(trunk=trunk))) if isinstance(event, Attempt) else dated


ATTACKED_FROM, SPAM_FROM = STANDARD.attack_day, STANDARD.read_from_day
SCENES = (
    Scene("new machine", OWNER, partial(_machines, SPOOFED), ATTACKED_FROM),
    Scene("new machine, robot on another trunk", OWNER, partial(_machines, SPOOFED_ELSEWHERE), ATTACKED_FROM),
    Scene("new machine, its calls signed", SIGNED, _signed_machines, ATTACKED_FROM),
    Scene("established machine", OWNER, partial(_established, SPOOFED), ATTACKED_FROM),
    Scene("the robot that shows the number", ROBOT, partial(_robots, SPOOFED), ATTACKED_FROM),
    Scene("spam", SPAM, _spam, SPAM_FROM, SPAM_ONLY),
    Scene("spam that uses two trunks", TRUNKS_OF_SPAM, _by_two_trunks, SPAM_FROM, SPAM_ONLY),
    Scene(
        "spam number used for 5 days, then on another trunk",
        TRUNKS_OF_SPAM,
        partial(_aged, TRUNKS[1:]),
        SPAM_FROM,
        SPAM_ONLY,
    ),
    Scene(
        "spam number used for 5 days, then on both trunks", TRUNKS_OF_SPAM, partial(_aged, TRUNKS), SPAM_FROM, SPAM_ONLY
    ),
    Scene('spam that two of our people call "not spam"', VOUCHED, _with_accomplices, SPAM_FROM, SPAM_ONLY),
)


def measure(variant: Variant, scene: Scene, seed: int) -> Tally:
    p = replace(scene.parameters, notice=variant.notice)
    office, total = make_office(p, seed), Tally()
    for plan in scene.plans(office):
        total.update(_played(office, plan, variant, START + scene.read_from_day * DAY_SECONDS))
    return total


def _played(office: Office, plan: Plan, variant: Variant, read_from: float) -> Tally:
    first: list[float] = []

    def note(_place: int, at: float, decision: Decision) -> None:
        if decision.action is Action.CHALLENGE and not first:
            first.append(at)

    def play(events: list[Dated]) -> Tally:
        screening = Screening(STRICT, office.parameters, DEFAULT, memory=variant.memory(DEFAULT))
        return tallies_of([Site(office, plan._replace(events=events), screening)], read_from, note)[0]

    tally = play(plan.events)
    # A robot with a spoofed number cannot prove control. The owner does after the first challenge of a call.
    if variant.proves_days is None or not first:
        return tally
    return play(in_order([*plan.events, (first[0] + variant.proves_days * DAY_SECONDS, Proof())]))


def sheet_of(tallies_by_names: Mapping[tuple[str, str], Sequence[Tally]]) -> Sheet:
    """Return the table of all variants. `tallies_by_names`: tallies of all seeds, by the names of variant and scene."""
    cell = Cell(STRICT, "")
    rows = []
    for variant in VARIANTS:
        tallies = [tallies_by_names.get((variant.name, scene.name)) for scene in SCENES]
        shares = [
            share_of([{cell: item} for item in each], (Counted.STOPPED,), cell).text if each else "" for each in tallies
        ]
        rows.append([variant.name, *shares])
    caption = "Stopped calls in %. An empty cell equals the unchanged product."
    return Sheet("spoofed owner", caption, ["variant", *[scene.name for scene in SCENES]], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.spoofed_owner", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default="1001-1010", metavar="A-B", help="the seeds (1001-1010)")
    seeds: Sequence[int] = parser.parse_args().seeds
    pairs = [pair for pair in product(VARIANTS, SCENES) if pair[1].about in pair[0].changes]
    jobs = [(variant, scene, seed) for variant, scene in pairs for seed in seeds]
    with ProcessPoolExecutor(initializer=os.nice, initargs=(10,)) as pool:
        tallies = iter(pool.map(measure, *zip(*jobs, strict=True)))
        tallies_by_names = {(item.name, scene.name): [next(tallies) for _ in seeds] for item, scene in pairs}
    sheet = sheet_of(tallies_by_names)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(terminal_table(sheet))
    console.print(markdown(sheet))


if __name__ == "__main__":
    main()
