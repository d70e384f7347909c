"""The report of a replay as one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsieve.replay.label_effect import SEEN
from callsieve.replay.report import ACTIONS, Period, ReplayReport
from callsieve.text.bars import cells_of
from callsieve.web.rendering import document_of

SHOWN_MISTAKES = 200
BAR_CELLS = 300  # what there is gets one at least, and can be seen


def page_of(report: ReplayReport, made_at: float) -> str:
    """The whole page."""
    most = max((period.actions.total() for period in report.periods), default=0) or 1
    shown = {
        "report": report,
        "made_at": made_at,
        "actions": ACTIONS,
        "seen_actions": [action for action in ACTIONS if any(period.actions[action] for period in report.periods)],
        "days": [_day(period, most) for period in report.periods],
        "bar_cells": BAR_CELLS,
        "shown_mistakes": SHOWN_MISTAKES,
        "words_of_seen": SEEN,
    }
    return document_of("replay", "report.html", "en", shown)


def _day(period: Period, most: int) -> dict[str, Any]:
    """A row of the chart, where `most` calls fill the width. Its bar stretches: what it says stands beside it."""
    said = ", ".join(f"{period.actions[action]:,} {action}" for action in ACTIONS if period.actions[action])
    calls = period.actions.total()
    return {"first": period.first, "calls": calls, "said": said or "no call", "parts": list(_parts(period, most))}


def _parts(period: Period, most: int) -> Iterator[tuple[str, int, int]]:
    """Of a stacked bar: which action, from where, how wide."""
    x = 0
    for action, width in zip(ACTIONS, cells_of([period.actions[a] for a in ACTIONS], most, BAR_CELLS), strict=True):
        if width:
            yield action, x, width
        x += width
