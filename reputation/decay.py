"""The two formulas that everything is made of: exponential decay, and the bound of a family."""

from __future__ import annotations

from math import exp, log


def decayed(value: float, at: float, now: float, half_life_seconds: float) -> float:
    """What `value`, exact at `at`, is worth at `now`. Of the future (another machine's clock) nothing grows."""
    return value if now <= at else value * 2.0 ** ((at - now) / half_life_seconds)


def bounded(log_odds: float, contamination: float) -> float:
    """The log-odds of a family that may be fabricated with this probability; never beyond -ln(contamination).

    Huber's contamination model (1964): `-ln((1 - pi) e^-L + pi)`, mirrored below zero.
    """
    if log_odds < 0:
        return -bounded(-log_odds, contamination)
    return -log((1.0 - contamination) * exp(-log_odds) + contamination)
