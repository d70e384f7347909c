"""Sum the evidence rows of a number: people here separately, each other site as a single witness. Pure functions.

Another site may lie, and invent any number of people, DIDs and calls. So the rows of each other site are summed
separately. The sum weighs at most as much as a single witness: one mark, one call hung up on, or one call-back. Answers
and bursts at another site only affect the marks of that site. Its challenges are ignored: with invented challenges it
could cause or prevent a rejection.
"""

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
    """Return the standing (the summed evidence) of a number in an auth class; None if no row has an effect.

    `epoch_at`: since when the number has its present owner. `trust`: returns the trust in a reporter, here or
    elsewhere.
    """
    if not _is_about(rows, auth_class):
        return None  # most numbers have rows of one class only
    of_site = _by_site(rows)
    if of_site is None:
        return standing_of_people(rows, auth_class, weights, epoch_at=epoch_at, trust=trust)
    here = standing_of_people(of_site.pop(OURS), auth_class, weights, epoch_at=epoch_at, trust=trust)
    elsewhere = []
    for _, their_rows in sorted(of_site.items()):
        their_standing = standing_of_people(their_rows, auth_class, weights, epoch_at=epoch_at)
        if their_standing is not None:
            elsewhere.append((their_standing, min([trust(mark.reporter) for mark in their_rows.marks], default=1.0)))
    return with_other_sites(here, elsewhere, weights)


def with_other_sites(
    here: Standing | None, elsewhere: Iterable[tuple[Standing, float]], weights: Weights
) -> Standing | None:
    """Return this site's standing plus a share of each other site's. The trust in a site, 0 to 1, limits its share."""
    shares = [
        share
        for their_standing, trusted in elsewhere
        if (share := _share_of(their_standing, trusted, weights)) is not None
    ]
    return _together(here, shares, weights) if shares else here


def _is_about(rows: Rows, auth_class: AuthClass) -> bool:
    dated = (rows.marks, rows.answered, rows.traps)
    if rows.signals or rows.challenges:  # a pass counts in every class
        return True
    return any(row.auth_class is auth_class for group in dated for row in group)


def _by_site(rows: Rows) -> dict[str, Rows] | None:
    names = _names_in(rows)
    if ":" not in "".join(names) or not any(map(site_of, names)):
        return None
    marks, signals = _split(rows.marks, lambda mark: mark.reporter), _split(rows.signals, lambda row: row.callee)
    answered = _split(rows.answered, lambda row: row.callee)
    asked = _split(rows.challenges, lambda row: row.linkedid)
    sites = {*marks, *signals, *answered, *asked}
    by_site = {
        site: Rows(marks.get(site, ()), signals.get(site, ()), answered.get(site, ())) for site in sites | {OURS}
    }
    trapped = [row for row in rows.traps if site_of(row.linkedid) == OURS]
    by_site[OURS] = by_site[OURS]._replace(challenges=asked.get(OURS, ()), traps=trapped)
    return by_site


def _names_in(rows: Rows) -> list[str]:
    return [
        *[mark.reporter for mark in rows.marks],
        *[signal.callee for signal in rows.signals],
        *[answered.callee for answered in rows.answered],
        *[challenged.linkedid for challenged in rows.challenges],
        *[row.linkedid for row in rows.traps],
    ]


def _split(rows: Sequence[R], name_of: Callable[[R], str]) -> dict[str, Sequence[R]]:
    by_site: defaultdict[str, list[R]] = defaultdict(list)
    for row in rows:
        by_site[site_of(name_of(row))].append(row)
    return dict(by_site)


class _Share(NamedTuple):
    """The part of another site's standing that is counted, at the time `at`.

    `marks`: the site's marks, as the number of people here whose marks would weigh as much. `trusted`: the trust in the
    site, by which `marks` is multiplied later. `counts`: the six fields of Standing from `hung_up` to `one_ring`,
    limited to what a few people could cause.
    """

    at: float
    marks: float
    trusted: float
    reporters: int
    counts: tuple[float, ...]
    signals: tuple[tuple[SignalCategory, int], ...]
    witnessed: tuple[float, ...]
    adverse: tuple[float, ...]


def _share_of(standing: Standing, trusted: float, weights: Weights) -> _Share | None:
    """Limit a site's standing to the evidence that a few people could give. Return None if no evidence is left."""
    few = weights.witnesses.of_a_site
    marks = _marks_of(standing, weights, few)
    left = few - marks
    hung_up = min(left, standing.hung_up)
    missed = min(left - hung_up, standing.missed)
    one_ring = min(left - hung_up - missed, standing.one_ring)
    in_favour = [min(few, count) for count in (standing.messages, standing.talks, standing.wanted)]
    if not any((marks, hung_up, missed, one_ring, *in_favour)):
        return None
    signals = [
        (category, min(few, count)) for category, count in standing.signals if left > 0 or category not in SPAMWARD
    ]
    counts = (hung_up, missed, *in_favour, one_ring)
    of_counts = log_odds_of(EvidenceCounts(marks, 0.0, *counts[:-1]), weights.counts)
    is_against = sum(of_counts) + one_ring * weights.counts.one_ring > 0
    return _Share(
        standing.at,
        marks,
        trusted,
        min(few, standing.reporters) if marks else 0,
        counts,
        tuple(signals) if any(counts) else (),
        standing.witnessed[:few] if is_against else (),
        standing.adverse[:few] if is_against else (),
    )


def _marks_of(standing: Standing, weights: Weights, few: int) -> float:
    """Return how many marks by people here the other site's marks are worth, at most `few`.

    Answers without marks reduce this number.
    """
    if is_alarmed(standing, weights, None):
        return 0.0
    marked, unmarked = log_odds_of(counts_of(standing, weights, standing.at), weights.counts)[:2]
    return min(float(few), expm1(max(0.0, marked + unmarked) / weights.counts.marked)) if marked else 0.0


def _together(here: Standing | None, shares: list[_Share], weights: Weights) -> Standing:
    """Add the shares of other sites to this site's standing. Each site with marks is counted as a group of its own."""
    base = here if here is not None else Standing(at=max([share.at for share in shares]))
    at = max([base.at, *[share.at for share in shares]])
    of_marks = weights.counts.marks_half_life_days * DAY_SECONDS
    lasting, of_ring = weights.counts.half_life_days * DAY_SECONDS, weights.counts.one_ring_half_life_hours * 3600.0
    mark = weights.counts.channels.site
    marks = sum([decayed(mark * share.marks * share.trusted, share.at, at, of_marks) for share in shares])
    sums = [
        decayed(count, base.at, at, half_life)
        + sum([decayed(share.counts[i], share.at, at, half_life) for share in shares])
        for i, (count, half_life) in enumerate(zip(base[3:9], (*[lasting] * 5, of_ring), strict=True))
    ]
    signals = dict(base.signals)
    for share in shares:
        for category, count in share.signals:
            signals[category] = signals.get(category, 0) + count
    limits = weights.witnesses

    def latest(here_times: tuple[float, ...], other_times: list[tuple[float, ...]], most: int) -> tuple[float, ...]:
        return tuple(sorted([*here_times, *chain.from_iterable(other_times)], reverse=True)[:most])

    total = base._replace(
        at=at,
        marks=decayed(base.marks, base.at, at, of_marks) + marks,
        # A site that marks has answered, so only people here can be silent.
        answers=decayed(base.answers, base.at, at, of_marks) + marks,
        reporters=base.reporters + sum([share.reporters for share in shares]),
        # Without groups here, only reporters are counted (scoring).
        groups=base.groups + sum([share.reporters > 0 for share in shares]) if base.groups else 0,
        signals=tuple(sorted(signals.items())),
        witnessed=latest(
            base.witnessed, [share.witnessed for share in shares], max(limits.label_most, limits.challenge_most)
        ),
        adverse=latest(base.adverse, [share.adverse for share in shares], limits.events),
    )
    return with_counts(total, sums)
