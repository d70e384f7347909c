"""What is measured for a seed, and all seeds on all cores, politely."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from rich.console import Console
from rich.progress import track

from benchmarks.accuracy.attacks import HANG_UPS, MARKS, RING_OUTS, SLOW, SLOW_HANG_UPS, SPLIT
from benchmarks.accuracy.methods import BASELINES, MODEL, TWO_FAMILIES, Model, TwoFamiliesModel
from benchmarks.accuracy.office import make_office
from benchmarks.accuracy.parameters import STANDARD, Kind, Parameters, with_habits
from benchmarks.accuracy.reading import Counts, Methods, measure_attacks, measure_office

FIRST_SEED = 1001  # seeds below are for tuning, and are never published
STANDARD_NAME = "the standard office"
ABLATION_NAME = TWO_FAMILIES
A_FIFTH = 5  # one seed in so many is also measured in harder offices, and without "one witness, one family"
TABLE_COLLUDERS = (3, 10, 40)
SLOW_COLLUDERS = (30,)
STRESS_COLLUDERS = (10,)

OURS: Methods = {MODEL: Model}
ABLATION: Methods = {TWO_FAMILIES: TwoFamiliesModel}
SPAM, HONEST = (Kind.SPAM, Kind.SINGLE_USE), (Kind.SERVICE, Kind.ONE_OFF, Kind.CONTACT)


def _polite_spam() -> Parameters:
    """Spam that is answered no more often, but talked with and called back as customer service is."""
    service = STANDARD.habits[Kind.SERVICE]
    return with_habits(
        STANDARD,
        SPAM,
        talk=service.talk,
        called_back=service.called_back,
        back_talk=service.back_talk,
        ended_by_callee=service.ended_by_callee,
    )


def _marks(parameters: Parameters, kinds: Sequence[Kind], factor: float) -> Parameters:
    """Marks so many times as common."""
    for kind in kinds:
        habits = parameters.habits[kind]
        parameters = with_habits(
            parameters,
            (kind,),
            marked_answered=habits.marked_answered * factor,
            marked_unanswered=habits.marked_unanswered * factor,
        )
    return parameters


STRESS: Mapping[str, Parameters] = {
    "spam talks, and is called back, as service is": _polite_spam(),
    "marks 5 times rarer": _marks(STANDARD, tuple(Kind), 0.2),
    "wrong marks 4 times commoner": _marks(STANDARD, HONEST, 4.0),
    "spam leaves a message on every second machine": with_habits(STANDARD, SPAM, voicemail=0.5),
    "service is answered by 30 %, leaves few messages, is hardly called back": with_habits(
        STANDARD, (Kind.SERVICE,), answered=0.30, voicemail=0.15, called_back=0.01
    ),
    "20 users of 4 groups, a tenth of the calls": replace(
        STANDARD,
        users=20,
        groups=4,
        contacts=120,
        service_rate=(0.2, 1.5),
        one_off_a_day=6,
        spam_rate=STANDARD.spam_rate._replace(median=0.6),
        spam_rate_most=2.5,
        single_use_a_day=10,
    ),
}
Results = dict[str, list[Counts]]  # by the name of the office, one a seed


def measure_standard(seed: int) -> Counts:
    """Everything that is published of one seed of the standard office."""
    office = make_office(STANDARD, seed)
    p = office.parameters
    return {
        **measure_office(office, {**BASELINES, **OURS}),
        **measure_attacks(office, {**BASELINES, **OURS}, MARKS, p.colluders),
        **measure_attacks(office, OURS, HANG_UPS, p.colluders),
        **measure_attacks(office, OURS, RING_OUTS, TABLE_COLLUDERS),
        **measure_attacks(office, OURS, SPLIT, p.colluders),
        **measure_attacks(office, OURS, SLOW, SLOW_COLLUDERS),
        **measure_attacks(office, OURS, SLOW_HANG_UPS, SLOW_COLLUDERS),
    }


def measure_ablation(seed: int) -> Counts:
    """What "one witness, one family" is good for."""
    office = make_office(STANDARD, seed)
    return {
        **measure_office(office, ABLATION),
        **measure_attacks(office, ABLATION, HANG_UPS, office.parameters.colluders),
    }


def measure_stress(parameters: Parameters, seed: int) -> Counts:
    """The model in another office, with a quarter of the service lines: they take longest, and a few show it."""
    office = make_office(replace(parameters, services=parameters.services // 4), seed)
    return {**measure_office(office, OURS), **measure_attacks(office, OURS, HANG_UPS, STRESS_COLLUDERS)}


def measure(name: str, seed: int) -> tuple[str, Counts]:
    """One seed of one office."""
    if name == STANDARD_NAME:
        return name, measure_standard(seed)
    if name == ABLATION_NAME:
        return name, measure_ablation(seed)
    return name, measure_stress(STRESS[name], seed)


def measure_all(seeds: Sequence[int]) -> Results:
    """All offices and seeds. The progress is on stderr."""
    few = seeds[: max(1, len(seeds) // A_FIFTH)]
    jobs = [(STANDARD_NAME, seed) for seed in seeds]
    jobs += [(name, seed) for name in (ABLATION_NAME, *STRESS) for seed in few]
    results: Results = defaultdict(list)
    for name, counts in track(_measured(jobs), "measuring", len(jobs), console=Console(stderr=True), transient=True):
        results[name].append(counts)
    return results


def _measured(jobs: Sequence[tuple[str, int]]) -> Iterator[tuple[str, Counts]]:
    with ProcessPoolExecutor(initializer=os.nice, initargs=(10,)) as pool:
        yield from pool.map(measure, *zip(*jobs, strict=True))
