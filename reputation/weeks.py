"""Weeks, counted from that of 1970-01-01; they begin on Mondays, UTC. As other companies are told them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
_MONDAY = 3 * DAY_SECONDS  # 1970-01-01 was a Thursday


def week_of(at: float) -> int:
    """The week of an instant."""
    return int((at + _MONDAY) // WEEK_SECONDS)


def monday_of(week: int) -> float:
    """When it begins."""
    return float(week * WEEK_SECONDS - _MONDAY)


def monday_text(week: int) -> str:
    """`2026-11-23`: the day that it begins on."""
    return datetime.fromtimestamp(monday_of(week), UTC).date().isoformat()
