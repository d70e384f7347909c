"""Compute a number's reputation on each day of the last weeks from the rows that the store has now. Pure functions.

Only the latest row of each reporter is stored, so a renewed mark counts only from its latest time. All reporters are
trusted equally. The result shows when the present evidence arrived and how it fades.
"""

from typing import NamedTuple

from reputation.encoding import Instant
from reputation.evidence import Circumstances, Evidence
from reputation.fold import standing_of
from reputation.model import Level
from reputation.scoring import reputation_of
from reputation.standing import Rows
from reputation.weights import DAY_SECONDS, Weights

DAYS = 60


class Point(NamedTuple):
    """The reputation of a number at an instant.

    Attributes:
        at: The instant.
        log_odds: The evidence against the number, in log-odds.
        level: The level of the evidence.
    """

    at: Instant
    log_odds: float
    level: Level


def history_of(
    rows: Rows,
    evidence: Evidence,
    circumstances: Circumstances,
    weights: Weights,
    now: float,
    epoch_at: float | None = None,
) -> list[Point]:
    """Return the number's reputation once a day for 60 days, up to `now`.

    `evidence`: the evidence at `now`. Its identity is assumed to be constant. `epoch_at`: since when the number has its
    present owner.
    """
    points = []
    for at in (now - day * DAY_SECONDS for day in range(DAYS, 0, -1)):
        owned_since = epoch_at if epoch_at is not None and epoch_at <= at else None
        standing = standing_of(_until(rows, at), circumstances.auth_class, weights, epoch_at=owned_since)
        listed = tuple(row for row in evidence.imported if row.imported_at <= at)
        then = evidence._replace(standing=standing, imported=listed, listed_neighbours=0, bad_neighbours=0)
        reputation = reputation_of(then, circumstances, weights, at)
        points.append(Point(at, reputation.log_odds, reputation.level))
    today = reputation_of(evidence, circumstances, weights, now)
    return [*points, Point(now, today.log_odds, today.level)]


def _until(rows: Rows, at: float) -> Rows:
    return Rows(
        [mark for mark in rows.marks if mark.at <= at],
        [signal for signal in rows.signals if signal.at <= at],
        [answered for answered in rows.answered if answered.at <= at],
        [challenge for challenge in rows.challenges if challenge.at <= at],
        [trap for trap in rows.traps if trap.at <= at],
    )
