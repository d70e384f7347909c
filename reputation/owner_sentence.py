"""Tell the owner of a number what marks can cause, in sentences computed from the current weights. Pure functions."""

from collections.abc import Iterator
from math import expm1, floor, inf, log1p
from typing import NamedTuple

from reputation.scoring import events_needed, witnesses_of
from reputation.weights import CallerWeights, Weights
from reputation.wording import N_, Places, Wording, listed


class OwnerFigures(NamedTuple):
    """The values in the sentences that tell an owner what marks can cause. Outside evidence is not considered.

    Attributes:
        label: How many witnesses a label needs.
        challenge: How many witnesses a challenge needs.
        marks: How many marks, at least, label a number without other evidence.
        answered_few: With `marks` marks, one in this many of the people who answered must have marked the number.
        answered_many: The same with very many marks, when a smaller share is enough.
        events: How many events within `days` days a challenge also needs.
    """

    people: int
    label: int
    challenge: int
    marks: int
    answered_few: int
    answered_many: int
    events: int
    days: int


def figures_of(weights: Weights, people: int) -> OwnerFigures:
    """Return the values in the owner's sentence for an office of `people` people."""
    _, label, challenge = witnesses_of(None, people, weights.witnesses, 0.0)
    counts, limits = weights.counts, weights.witnesses
    marks = label
    while counts.marked * log1p(marks) < weights.levels.warn and marks < MOST_MARKS:
        marks += 1

    def answered(marked: int) -> int:
        room = counts.marked * log1p(marked) - weights.levels.warn
        silent = expm1(room / -counts.unmarked) if counts.unmarked else inf
        by_share = 1 / limits.share if limits.share else inf
        return floor(min((marked + silent) / marked, by_share, MOST_MARKS))

    few, many = sorted((max(1, answered(marks)), max(1, answered(MOST_MARKS))))
    return OwnerFigures(
        people, label, challenge, marks, few, many, events_needed(people, limits), round(limits.event_days)
    )


MOST_MARKS = 100


def owner_sentence(weights: Weights, people: int) -> Wording | str:
    """Return sentences that say what marks can cause. `people`: how many people work in this office; 0: unknown."""
    figures, caller = figures_of(weights, people), weights.caller
    places: Places = {
        **figures._asdict(),
        "half_life": f"{weights.counts.marks_half_life_days:g}",
        "pass_days": f"{caller.pass_days:g}",
        "pass_hours": f"{caller.pass_hours:g}",
        "pass_marks": caller.pass_marks,
    }
    templates = (*_of_labels(figures), *_of_challenges(figures, caller), *_REST)
    return listed([Wording(template, places) for template in templates], "{some} {more}")


def _of_labels(figures: OwnerFigures) -> Iterator[str]:
    yield N_("Marks alone never stop your calls, however many there are.")
    if figures.label > 1:
        yield N_("A single mark changes nothing for other people.")
    yield N_(
        "Unless an outside source (a spam list) speaks against you, your calls are labelled only after "
        "{label} different people "
        "marked you, hung up on you or missed your calls."
    )
    if figures.people:
        yield N_("These counts are for a company of {people} people.")
    if figures.answered_few < figures.answered_many:
        yield N_(
            "Marks alone label your calls only if {marks} people mark you, and about 1 in {answered_few} to 1 in "
            "{answered_many} of those who answered."
        )
    else:
        yield N_(
            "Marks alone label your calls only if {marks} people mark you, and about 1 in {answered_many} of those "
            "who answered."
        )


def _of_challenges(figures: OwnerFigures, caller: CallerWeights) -> Iterator[str]:
    yield N_(
        "You are asked to press a digit only after {challenge} different people gave two kinds of evidence against "
        "you (such as marks and early hang-ups), {events} times within {days} days."
    )
    yield N_("You are also asked if two outside sources, or one that is nearly always right, speak against you.")
    if caller.pass_marks == 1:
        yield N_(
            "After you press the digit, you are not asked again for {pass_days} days, unless a person who answers "
            "later marks you."
        )
    else:
        yield N_(
            "After you press the digit, you are not asked again for {pass_days} days, unless {pass_marks} people who "
            "answer later mark you."
        )
    if caller.pass_hours:
        yield N_("After you have pressed the digit, you are never asked again within {pass_hours} hours.")


_REST = (
    N_(
        "Your calls are rejected only if an outside source speaks against you and you did not press the digit when "
        "asked. An administrator can also block you or make a rule that rejects you."
    ),
    N_("Marks fade by half in {half_life} days. A person who blocks you does so for their own phone only."),
)
