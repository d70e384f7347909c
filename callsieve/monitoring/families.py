"""What a capability tells Prometheus, as plain values: `monitoring/metrics.py` writes them as text.

A capability names a function (db, loaded, now) -> families in `metrics`. No number, no person and no text of a caller
is ever a label: feeds, receivers and companies are named by an administrator.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from callsieve.settings import Loaded


class MetricFamily(NamedTuple):
    """One metric. `samples`: by the value of the label; of a metric without a label, by the empty text."""

    name: str
    text: str
    samples: Mapping[str, float]
    label: str = ""
    is_counter: bool = False


Metrics = Callable[[sqlite3.Connection, Loaded, float], Iterable[MetricFamily]]


def single(name: str, text: str, value: float) -> MetricFamily:
    """Return a gauge without a label."""
    return MetricFamily(name, text, {"": float(value)})
