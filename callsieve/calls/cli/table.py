"""Calls as a table on the terminal, for `calls show` and `calls search`."""

from __future__ import annotations

from collections.abc import Sequence

from callsieve.calls.history import CallLine
from callsieve.calls.records import caller_words, points_of
from callsieve.cli.output import Cell, dim, is_wide, ordered, print_table, say
from callsieve.text.times import when
from policies.reasons import is_of_sample
from reputation.model import DecisionRecord

HEADINGS = ("time", "id", "caller", "for", "action", "ended")
WIDE_HEADINGS = ("rule", "points", "ms")
KEPT = (0, 1, 2, 4)
YEAR = len("2026-")


def print_calls(calls: Sequence[CallLine], records: Sequence[DecisionRecord], below: Sequence[str] = ()) -> None:
    """Print a line for each call; `records`: their decisions, in the same order; `below`: a remark for each."""
    wide = is_wide()
    rows: list[list[Cell]] = []
    for line, record in zip(calls, records, strict=True):
        action = ordered(record.action, record.would_be).append("*" if is_of_sample(record.reason) else "")
        at = when(record.at) if wide else when(record.at)[YEAR:]
        ended = str(line.happened if wide else line.ending)
        rows.append([at, record.id, caller_words(record), line.callee, action, ended])
        if wide:
            points = f"{points_of(record):+d}" if record.log_odds else ""
            rows[-1] += [record.rule, points, f"{record.elapsed_ms:.1f}"]
    headings = (*HEADINGS, *(WIDE_HEADINGS if wide else ()))
    print_table(headings, rows, keep=(*KEPT, *range(len(HEADINGS), len(headings))), below=below)
    if any(record.observed for record in records):
        say(dim("(In brackets: only observed, so the call went on.)"))
    if any(is_of_sample(record.reason) for record in records):
        say(dim("(*: in the control sample, so its warning was left out on purpose.)"))
