"""The fold of all rows of a number: our own people as they are, and each other site as one witness. Pure.

    standing_of(rows, auth_class, weights, ...) -> Standing

A site may lie as a whole, and invent as many people, DIDs and calls as it likes. So what its people say is added up by
itself, as here, and of that no more counts than one witness can do: one mark, or one call hung up on, or one call-back.
Its answerers speak against its own marks and never against ours, its bursts are its own, and what callers did when it
challenged them is not looked at: whoever could make that up would open the way to a rejection, or close it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from reputation.formulas import decayed
from reputation.model import AuthClass, SignalCategory
from reputation.site_names import OURS, site_of
from reputation.standing import Rows, Standing, standing_of_people
from reputation.weights import DAY_SECONDS, Weights

R = TypeVar("R")


def standing_of(
    rows: Rows,
    auth_class: AuthClass,
    weights: Weights,
    *,
    epoch_at: float | None = None,
    trust: Callable[[str], float] = lambda _reporter: 1.0,
) -> Standing | None:
    """The standing in a class, None where no row counts. `epoch_at`: since when the number has its present owner;
    `trust`: that in a reporter, which for one of another site is that in the site.
    """
    if not _is_about(rows, auth_class):
        return None  # of most numbers all rows are of one class
    of_site = _by_site(rows)
    if of_site is None:
        return standing_of_people(rows, auth_class, weights, epoch_at=epoch_at, trust=trust)
    ours = standing_of_people(of_site.pop(OURS), auth_class, weights, epoch_at=epoch_at, trust=trust)
    theirs = []
    for _, their_rows in sorted(of_site.items()):
        said = standing_of_people(their_rows, auth_class, weights, epoch_at=epoch_at)
        if said is not None:
            theirs.append((said, min([trust(mark.reporter) for mark in their_rows.marks], default=1.0)))
    return with_other_sites(ours, theirs, weights)


def with_other_sites(
    ours: Standing | None, theirs: Iterable[tuple[Standing, float]], weights: Weights
) -> Standing | None:
    """Our people's standing and those of other sites, each with the trust in it, of which its share counts."""
    shares = [share for said, trusted in theirs if (share := _share_of(said, trusted, weights)) is not None]
    return _together(ours, shares, weights) if shares else ours


def _is_about(rows: Rows, auth_class: AuthClass) -> bool:
    """Whether anything could count in that class: signals count in others, too."""
    dated = (rows.marks, rows.answered, rows.challenges)
    return bool(rows.signals) or any(row.auth_class is auth_class for group in dated for row in group)


def _by_site(rows: Rows) -> dict[str, Rows] | None:
    """The rows of each site; None: all are ours, as nearly always. Challenges of other sites are left out."""
    names = _names_in(rows)
    if ":" not in "".join(names) or not any(map(site_of, names)):
        return None
    marks, signals = _split(rows.marks, lambda mark: mark.reporter), _split(rows.signals, lambda one: one.callee)
    answered = _split(rows.answered, lambda one: one.callee)
    asked = _split(rows.challenges, lambda one: one.linkedid)
    sites = {*marks, *signals, *answered, *asked}
    found = {site: Rows(marks.get(site, ()), signals.get(site, ()), answered.get(site, ())) for site in sites | {OURS}}
    found[OURS] = found[OURS]._replace(challenges=asked.get(OURS, ()))
    return found


def _names_in(rows: Rows) -> list[str]:
    """What tells to which site each row belongs."""
    return [
        *[mark.reporter for mark in rows.marks],
        *[signal.callee for signal in rows.signals],
        *[answered.callee for answered in rows.answered],
        *[challenged.linkedid for challenged in rows.challenges],
    ]


def _split(rows: Sequence[R], name_of: Callable[[R], str]) -> dict[str, Sequence[R]]:
    found: defaultdict[str, list[R]] = defaultdict(list)
    for row in rows:
        found[site_of(name_of(row))].append(row)
    return dict(found)


class _Share(NamedTuple):
    """What counts of what a site's people say, as of `at`. `marks` in marks of one person, before trust."""

    at: float
    marks: float
    trusted: float
    reporters: int
    behaviour: float
    one_ring: float
    signals: tuple[tuple[SignalCategory, int], ...]
    witnessed: tuple[float, ...]


def _share_of(said: Standing, trusted: float, weights: Weights) -> _Share | None:
    """As much as so many witnesses can do, each in one family; None: nothing."""
    most = float(weights.witnesses.of_a_site)
    by_category = weights.behaviour.by_category
    marks = _marks_of(said, weights, most)
    left = most - marks
    worst, best = max(0.0, *by_category.values()), min(0.0, *by_category.values())
    behaviour = max(most * best, min(left * worst, said.behaviour))
    one_ring = max(0.0, min(left * worst - max(0.0, behaviour), said.one_ring))
    if not (marks or behaviour or one_ring):
        return None
    few = weights.witnesses.of_a_site
    signals = [(one, min(few, count)) for one, count in said.signals if left > 0 or by_category[one] <= 0]
    is_against = marks * weights.marks.each + behaviour + one_ring > 0
    return _Share(
        said.at,
        marks,
        trusted,
        min(few, said.reporters) if marks else 0,
        behaviour,
        one_ring,
        tuple(signals) if behaviour or one_ring else (),
        said.witnessed[:few] if is_against else (),
    )


def _marks_of(said: Standing, weights: Weights, most: float) -> float:
    """How many marks of one person the site's are worth once its own answerers are set against them, at most so many.
    A burst of marks of a number that behaves well there is nobody's here to review.
    """
    if said.burst_at is not None and said.behaviour + said.one_ring <= 0:
        return 0.0
    each, silent = weights.marks.each, max(0.0, said.answers - said.marks)
    return max(0.0, min(most, (said.marks * each + silent * weights.marks.each_silent) / each))


def _together(ours: Standing | None, shares: list[_Share], weights: Weights) -> Standing:
    """Our people and the shares of other sites, each of which is a reporter of a group of its own if it marks."""
    base = ours if ours is not None else Standing(at=max([share.at for share in shares]))
    at = max([base.at, *[share.at for share in shares]])
    of_marks = weights.marks.half_life_days * DAY_SECONDS
    of_behaviour = weights.behaviour.half_life_days * DAY_SECONDS
    of_one_ring = weights.behaviour.one_ring_half_life_hours * 3600.0
    mark = weights.marks.channels.site
    marks = sum([decayed(mark * one.marks * one.trusted, one.at, at, of_marks) for one in shares])
    signals = dict(base.signals)
    for share in shares:
        for category, count in share.signals:
            signals[category] = signals.get(category, 0) + count
    witnessed = [*base.witnessed, *[when for one in shares for when in one.witnessed]]
    limits = weights.witnesses
    return base._replace(
        at=at,
        marks=decayed(base.marks, base.at, at, of_marks) + marks,
        # Who marks has answered: so nobody is silent who is not one of ours.
        answers=decayed(base.answers, base.at, at, of_marks) + marks,
        behaviour=decayed(base.behaviour, base.at, at, of_behaviour)
        + sum([decayed(one.behaviour, one.at, at, of_behaviour) for one in shares]),
        one_ring=decayed(base.one_ring, base.at, at, of_one_ring)
        + sum([decayed(one.one_ring, one.at, at, of_one_ring) for one in shares]),
        reporters=base.reporters + sum([one.reporters for one in shares]),
        # Where our people have no groups, reporters alone are counted (scoring).
        groups=base.groups + sum([one.reporters > 0 for one in shares]) if base.groups else 0,
        signals=tuple(sorted(signals.items())),
        witnessed=tuple(sorted(witnessed, reverse=True)[: max(limits.label_most, limits.challenge_most)]),
    )
