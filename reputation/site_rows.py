"""Rows of other sites among ours: whom they name, and which of them count. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

from reputation.site_names import site_of
from reputation.standing import Rows


def names_in(rows: Rows) -> set[str]:
    """Every person, DID and queue that the rows name, and every call that was challenged."""
    return {
        *[mark.reporter for mark in rows.marks],
        *[signal.callee for signal in rows.signals],
        *[one.callee for one in rows.answered],
        *[one.linkedid for one in rows.challenges],
    }


def without_sites(rows: Rows, sites: Collection[str]) -> Rows:
    """The rows without those of these sites."""
    return _of_names(rows, lambda name: site_of(name) not in sites)


def without_twins(rows: Rows, human_of: Mapping[str, str]) -> Rows:
    """The rows without those of people who are known under another name, at another site, and spoke there: here before
    elsewhere, then by the name of the site. Who only answered has not spoken. `human_of`: who several names are.
    """
    spoke: defaultdict[str, set[str]] = defaultdict(set)
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for name in [mark.reporter for mark in rows.marks] + [signal.callee for signal in rows.signals]:
        if name in human_of:
            spoke[human_of[name]].add(site_of(name))
    for name in [one.callee for one in rows.answered]:
        if name in human_of:
            answered[human_of[name]].add(site_of(name))
    counts_at = {human: min(sites) for human, sites in (answered | spoke).items()}

    def counts(name: str) -> bool:
        # A call that is named like a person is no person.
        return name not in human_of or counts_at.get(human_of[name], site_of(name)) == site_of(name)

    return _of_names(rows, counts)


def _of_names(rows: Rows, counts: Callable[[str], bool]) -> Rows:
    return Rows(
        [mark for mark in rows.marks if counts(mark.reporter)],
        [signal for signal in rows.signals if counts(signal.callee)],
        [one for one in rows.answered if counts(one.callee)],
        [one for one in rows.challenges if counts(one.linkedid)],
    )
