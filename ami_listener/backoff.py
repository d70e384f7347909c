"""How long to wait before connecting to Asterisk again. Pure: chance is an argument."""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0  # every second without Asterisk is calls not seen, and a refused connection costs nothing
REFUSED_LOGIN_SECONDS = 60.0


def delay_seconds(failures: int, chance: float, *, login_refused: bool = False) -> float:
    """The wait after the `failures`-th failure in a row, from 1; `chance` in 0..1 spreads it.

    Between half of a doubling step and all of it. After a refused login never less than a minute: Asterisk may ban an
    address that tries a wrong secret again and again, and its log would fill.
    """
    if login_refused:
        return REFUSED_LOGIN_SECONDS * (1 + chance / 10)
    step = FIRST_SECONDS * (1 << min(failures - 1, 16))
    return min(step, LONGEST_SECONDS) * (1 + chance) / 2
