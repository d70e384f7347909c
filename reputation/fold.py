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
from itertools import chain
from math import expm1
from typing import NamedTuple, TypeVar

from reputation.families.counts import EvidenceCounts, counts_of, is_alarmed, log_odds_of
from reputation.formulas import decayed
from reputation.model import AuthClass, SignalCategory
from reputation.signals import SPAMWARD
from reputation.site_names import OURS, site_of
from reputation.standing import Rows, Standing, standing_of_people, with_counts
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
    dated = (rows.marks, rows.answered, rows.traps)
    if rows.signals or rows.challenges:  # a pass counts in every class
        return True
    return any(row.auth_class is auth_class for group in dated for row in group)


def _by_site(rows: Rows) -> dict[str, Rows] | None:
    """The rows of each site; None: all are ours, as nearly always. Challenges and traps of other sites are left out."""
    names = _names_in(rows)
    if ":" not in "".join(names) or not any(map(site_of, names)):
        return None
    marks, signals = _split(rows.marks, lambda mark: mark.reporter), _split(rows.signals, lambda one: one.callee)
    answered = _split(rows.answered, lambda one: one.callee)
    asked = _split(rows.challenges, lambda one: one.linkedid)
    sites = {*marks, *signals, *answered, *asked}
    found = {site: Rows(marks.get(site, ()), signals.get(site, ()), answered.get(site, ())) for site in sites | {OURS}}
    trapped = [one for one in rows.traps if site_of(one.linkedid) == OURS]
    found[OURS] = found[OURS]._replace(challenges=asked.get(OURS, ()), traps=trapped)
    return found


def _names_in(rows: Rows) -> list[str]:
    """What tells to which site each row belongs."""
    return [
        *[mark.reporter for mark in rows.marks],
        *[signal.callee for signal in rows.signals],
        *[answered.callee for answered in rows.answered],
        *[challenged.linkedid for challenged in rows.challenges],
        *[one.linkedid for one in rows.traps],
    ]


def _split(rows: Sequence[R], name_of: Callable[[R], str]) -> dict[str, Sequence[R]]:
    found: defaultdict[str, list[R]] = defaultdict(list)
    for row in rows:
        found[site_of(name_of(row))].append(row)
    return dict(found)


class _Share(NamedTuple):
    """What counts of what a site's people say, as of `at`. `marks` in marks of one person, before trust; `counts` are
    the six of a standing that calls show, one-ring calls the last.
    """

    at: float
    marks: float
    trusted: float
    reporters: int
    counts: tuple[float, ...]
    signals: tuple[tuple[SignalCategory, int], ...]
    witnessed: tuple[float, ...]
    adverse: tuple[float, ...]


def _share_of(said: Standing, trusted: float, weights: Weights) -> _Share | None:
    """As much as so many witnesses can do, each in one way; None: nothing."""
    few = weights.witnesses.of_a_site
    marks = _marks_of(said, weights, few)
    left = few - marks
    hung_up = min(left, said.hung_up)
    missed = min(left - hung_up, said.missed)
    one_ring = min(left - hung_up - missed, said.one_ring)
    in_favour = [min(few, count) for count in (said.messages, said.talks, said.wanted)]
    if not any((marks, hung_up, missed, one_ring, *in_favour)):
        return None
    signals = [(one, min(few, count)) for one, count in said.signals if left > 0 or one not in SPAMWARD]
    counts = (hung_up, missed, *in_favour, one_ring)
    of_counts = log_odds_of(EvidenceCounts(marks, 0.0, *counts[:-1]), weights.counts)
    is_against = sum(of_counts) + one_ring * weights.counts.one_ring > 0
    return _Share(
        said.at,
        marks,
        trusted,
        min(few, said.reporters) if marks else 0,
        counts,
        tuple(signals) if any(counts) else (),
        said.witnessed[:few] if is_against else (),
        said.adverse[:few] if is_against else (),
    )


def _marks_of(said: Standing, weights: Weights, few: int) -> float:
    """How many marks of one person the site's are worth once its own answerers are set against them, at most so many.
    A burst of marks of a number that behaves well there is nobody's here to review.
    """
    if is_alarmed(said, weights, None):
        return 0.0
    marked, unmarked = log_odds_of(counts_of(said, weights, said.at), weights.counts)[:2]
    return min(float(few), expm1(max(0.0, marked + unmarked) / weights.counts.marked)) if marked else 0.0


def _together(ours: Standing | None, shares: list[_Share], weights: Weights) -> Standing:
    """Our people and the shares of other sites, each of which is a reporter of a group of its own if it marks."""
    base = ours if ours is not None else Standing(at=max([share.at for share in shares]))
    at = max([base.at, *[share.at for share in shares]])
    of_marks = weights.counts.marks_half_life_days * DAY_SECONDS
    lasting, of_ring = weights.counts.half_life_days * DAY_SECONDS, weights.counts.one_ring_half_life_hours * 3600.0
    mark = weights.counts.channels.site
    marks = sum([decayed(mark * one.marks * one.trusted, one.at, at, of_marks) for one in shares])
    sums = [
        decayed(count, base.at, at, half_life) + sum([decayed(one.counts[i], one.at, at, half_life) for one in shares])
        for i, (count, half_life) in enumerate(zip(base[3:9], (*[lasting] * 5, of_ring), strict=True))
    ]
    signals = dict(base.signals)
    for share in shares:
        for category, count in share.signals:
            signals[category] = signals.get(category, 0) + count
    limits = weights.witnesses

    def latest(ours_of: tuple[float, ...], theirs: list[tuple[float, ...]], most: int) -> tuple[float, ...]:
        return tuple(sorted([*ours_of, *chain.from_iterable(theirs)], reverse=True)[:most])

    found = base._replace(
        at=at,
        marks=decayed(base.marks, base.at, at, of_marks) + marks,
        # Who marks has answered: so nobody is silent who is not one of ours.
        answers=decayed(base.answers, base.at, at, of_marks) + marks,
        reporters=base.reporters + sum([one.reporters for one in shares]),
        # Where our people have no groups, reporters alone are counted (scoring).
        groups=base.groups + sum([one.reporters > 0 for one in shares]) if base.groups else 0,
        signals=tuple(sorted(signals.items())),
        witnessed=latest(
            base.witnessed, [one.witnessed for one in shares], max(limits.label_most, limits.challenge_most)
        ),
        adverse=latest(base.adverse, [one.adverse for one in shares], limits.events),
    )
    return with_counts(found, sums)
