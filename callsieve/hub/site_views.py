"""What other sites contributed, for the terminal and for JSON. Pure."""

from __future__ import annotations

from typing import Any

from callsieve.cli.output import plural
from callsieve.text.times import when
from reputation.store.other_sites import SiteFigures


def figures_as_json(figures: SiteFigures) -> dict[str, Any]:
    """All figures of a site."""
    ignored = figures.ignored
    return {
        "site": figures.site,
        "marks": figures.marks,
        "signals": figures.signals,
        "answered": figures.answered,
        "people": figures.people,
        "numbers": figures.numbers,
        "last_at": figures.last_at,
        "marked": figures.marked,
        "agreed": figures.agreed,
        "disagreed": figures.disagreed,
        "retracted": figures.retracted,
        "wrong": figures.wrong,
        "rulings": figures.settled._asdict(),
        "ignored": ignored and ignored._asdict(),
    }


def remarks_on(figures: SiteFigures) -> str:
    """What is to be known of a site besides its figures."""
    found = []
    if figures.ignored is not None:
        found.append(f"counts for nothing since {when(figures.ignored.at)}: {figures.ignored.reason}")
    if figures.settled.disagree:
        found.append(f"{plural(figures.settled.disagree, 'ruling')} here against its marks: it is trusted less")
    return "; ".join(found)
