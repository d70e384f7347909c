"""What the owner of a number can expect of us, made of the running weights. Pure; said on the pages of owners.

owner_sentence(weights, people) -> Wording       "No number of marks alone can stop your calls. ..."
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, exp, floor, log
from typing import NamedTuple

from reputation.scoring import witnesses_of
from reputation.weights import CallerWeights, Weights
from reputation.wording import N_, Places, Wording, listed


class OwnerFigures(NamedTuple):
    """The figures of the sentence, where no source outside speaks.

    So many of our people must have something against a number before it is labelled or challenged; `marks` is the least
    of marks that label it by themselves, 0: marks alone never do. Of so many who answered one must have marked it: with
    `marks` of them `answered_few`, with any number of them `answered_many`. `ways`: whether a challenge takes evidence
    of two kinds.
    """

    people: int
    label: int
    challenge: int
    marks: int
    answered_few: int
    answered_many: int
    ways: bool


def figures_of(weights: Weights, people: int) -> OwnerFigures:
    """The figures in an office of so many people."""
    _, label, challenge = witnesses_of(None, people, weights.witnesses, 0.0)
    marks, levels = weights.marks, weights.levels
    ways = -log(weights.behaviour.contamination) < levels.challenge
    room = exp(-levels.warn) - marks.contamination
    if room <= 0:  # the family is bounded below a warning
        return OwnerFigures(people, label, challenge, 0, 0, 0, ways)
    wanted = -log(room / (1 - marks.contamination))  # before the bound of the family
    least = max(label, ceil(wanted / marks.each - 1e-9))
    silent = (least * marks.each - wanted) / -marks.each_silent
    many = 1 + marks.each / -marks.each_silent
    return OwnerFigures(people, label, challenge, least, floor((least + silent) / least), floor(many), ways)


def owner_sentence(weights: Weights, people: int) -> Wording | str:
    """What they mean to who owns a number. `people`: how many work here; 0: not known."""
    figures, caller = figures_of(weights, people), weights.caller
    places: Places = {
        **figures._asdict(),
        "half_life": f"{weights.marks.half_life_days:g}",
        "pass_days": f"{caller.pass_days:g}",
        "pass_hours": f"{caller.pass_hours:g}",
        "pass_marks": caller.pass_marks,
    }
    templates = (*_of_labels(figures), *_of_challenges(figures, caller), *_REST)
    return listed([Wording(template, places) for template in templates], "{some} {more}")


def _of_labels(figures: OwnerFigures) -> Iterator[str]:
    yield N_("No number of marks alone can stop your calls.")
    if figures.label > 1:
        yield N_("One mark changes nothing for others.")
    yield N_(
        "Where no source outside speaks against you, your calls are labelled only once {label} different people "
        "marked you, hung up on you or missed your calls."
    )
    if figures.people:
        yield N_("That is in a company of {people}.")
    if not figures.marks:
        yield N_("Marks alone never lead to that.")
    elif figures.answered_few < figures.answered_many:
        yield N_(
            "By marks alone it takes {marks} people, and about 1 in {answered_few} to 1 in {answered_many} of those "
            "who answered."
        )
    else:
        yield N_("By marks alone it takes {marks} people, and about 1 in {answered_many} of those who answered.")


def _of_challenges(figures: OwnerFigures, caller: CallerWeights) -> Iterator[str]:
    if figures.ways:
        yield N_("You are asked to press a digit only once {challenge} different people did, in two different ways.")
    else:
        yield N_("You are asked to press a digit only once {challenge} different people did.")
    if caller.pass_marks == 1:
        yield N_(
            "Press it, and you are not asked for {pass_days} days, unless somebody who answers after that marks you."
        )
    else:
        yield N_(
            "Press it, and you are not asked for {pass_days} days, unless {pass_marks} people who answer after that "
            "mark you."
        )
    if caller.pass_hours:
        yield N_("Having pressed, you are never asked again within {pass_hours} hours.")


_REST = (
    N_(
        "Unless an administrator has listed you or made a rule for it, you are turned away only if a source outside "
        "speaks against you as well, and you were asked and did not press."
    ),
    N_("Marks fade by half in {half_life} days; whoever blocks you does so for their own phone only."),
)
