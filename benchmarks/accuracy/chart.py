"""Draws the table of methods as an SVG picture that is legible on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.accuracy.attacks import MARKS
from benchmarks.accuracy.estimates import Estimate, of, shown
from benchmarks.accuracy.methods import BASELINES, MODEL
from benchmarks.accuracy.parameters import ESTABLISHED, Kind
from benchmarks.accuracy.reading import NEW, Cell, Counts
from benchmarks.accuracy.tables import STOPPED, attack_cells

NAMES_WIDTH, PANEL_WIDTH, GAP, HEAD, ROW, BAR = 290, 132, 28, 62, 30, 14
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.head { font-weight: 600; } .note { fill: #57606a; } .ours { font-weight: 600; }
.bar { fill: #8c959f; } .bar.ours { fill: #0969da; } .track { fill: #eaeef2; } .whisker { stroke: #24292f; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; } .bar { fill: #6e7681; } .bar.ours { fill: #4493f8; }
  .track { fill: #21262d; } .whisker { stroke: #e6edf3; }
}</style>"""
Panel = tuple[str, str, Sequence[Estimate]]


def chart_of(seeds: Sequence[Counts]) -> str:
    """Return the SVG picture, with a row for each method and a panel of bars for each measured share."""
    names = [*BASELINES, MODEL]
    panels: list[Panel] = [
        ("Spam stopped", "more is better", [of(seeds, STOPPED, Cell(n, Kind.SPAM)) for n in names]),
        ("Service stopped", "less is better", [of(seeds, STOPPED, Cell(n, Kind.SERVICE)) for n in names]),
        (
            "Established, attacked",
            "less is better",
            [of(seeds, STOPPED, *attack_cells(n, ESTABLISHED, MARKS)) for n in names],
        ),
        ("New, attacked", "less is better", [of(seeds, STOPPED, *attack_cells(n, NEW, MARKS)) for n in names]),
    ]
    return svg(names, panels)


def svg(names: Sequence[str], panels: Sequence[Panel]) -> str:
    """Return the SVG text. `names`: the methods, one row each. The last row is drawn as CallSieve's."""
    width = NAMES_WIDTH + len(panels) * (PANEL_WIDTH + GAP)
    height = HEAD + ROW * len(names) + 8
    labels = [
        f'<text x="0" y="{_middle(n)}" class="{_of_ours(n, names)}">{escape(name)}</text>'
        for n, name in enumerate(short_names(names))
    ]
    drawn = [
        part for place, panel in enumerate(panels) for part in _panel(NAMES_WIDTH + place * (PANEL_WIDTH + GAP), panel)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label="How much each method stops, in percent of calls">',
            STYLE,
            *labels,
            *drawn,
            "</svg>\n",
        ]
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Return the names without their text in brackets, which is too long for the picture."""
    return [name.partition(" (")[0] for name in names]


def _panel(x: float, panel: Panel) -> list[str]:
    title, note, estimates = panel
    scale = (PANEL_WIDTH - 34) / 100
    parts = [
        f'<text x="{x}" y="16" class="head">{escape(title)}</text>',
        f'<text x="{x}" y="34" class="note">% of calls, {escape(note)}</text>',
    ]
    for n, value in enumerate(estimates):
        ours = _of_ours(n, estimates)
        y = _middle(n) - BAR + 2
        length = max(value.mean * scale, 1)
        parts += [
            f'<rect class="track" x="{x}" y="{y}" width="{100 * scale:.1f}" height="{BAR}" rx="2"/>',
            f'<rect class="bar {ours}" x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<line class="whisker" x1="{x + value.low * scale:.1f}" x2="{x + value.high * scale:.1f}" '
            f'y1="{y + BAR / 2}" y2="{y + BAR / 2}"/>',
            f'<text x="{x + 100 * scale + 4:.1f}" y="{_middle(n)}" class="{ours}">{shown(value.mean)}</text>',
        ]
    return parts


def _middle(row: int) -> int:
    return HEAD + row * ROW + 12


def _of_ours(row: int, rows: Sequence[object]) -> str:
    return "ours" if row == len(rows) - 1 else "others"
