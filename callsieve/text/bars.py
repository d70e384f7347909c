"""Stacked bars: how long each part is drawn. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def cells_of(counts: Sequence[int], most: int, width: int) -> list[int]:
    """The cells of each part of a bar, of which one of `most` fills `width`. What there is gets one cell at least.

    The rounding goes to the largest part, so that the bar is as long as its sum.
    """
    wanted = [count * width / most for count in counts]
    cells = [max(1, round(share)) if count else 0 for count, share in zip(counts, wanted, strict=True)]
    if any(counts):
        largest = max(range(len(counts)), key=counts.__getitem__)
        cells[largest] = max(1, cells[largest] + round(sum(wanted)) - sum(cells))
    return cells
