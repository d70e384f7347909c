"""The report of a replay as one page: no script, nothing from elsewhere, light and dark, from 360 pixels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from callsieve.replay.false_positives import Mistake, count_of
from callsieve.replay.report import ACTIONS, Period, Report
from callsieve.text.bars import cells_of
from callsieve.text.markup import Markup, element, joined
from callsieve.text.times import when

SHOWN_MISTAKES = 200
BAR_CELLS = 300  # what there is gets one at least, and can be seen

STYLE = Markup("""
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #5c6570; --line: #d9dee4; --ground: #fff; --card: #f6f8fa;
  --allow: #b9c6bd; --tag: #3b8fc4; --warn: #d9a013; --challenge: #9a5cc6; --route: #6f3fa0; --reject: #c8372d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #9aa4af; --line: #333b44; --ground: #14181c;
  --card: #1c2228; --allow: #4c5a51; --tag: #4ea3d8; --warn: #e0b03a; --challenge: #b27fdb; --route: #8f63c4;
  --reject: #e5584d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 48rem; }
.dim, caption { color: var(--dim); }
caption { text-align: left; padding-bottom: .5rem; }
table + table { margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--dim); }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.figure { text-align: right; white-space: nowrap; }
.nowrap { white-space: nowrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.figures dt { color: var(--dim); font-size: .9rem; }
.figures dd { margin: 0; font-size: 1.5rem; font-weight: 600; }
.action { white-space: nowrap; }
.action::before, .legend span::before { content: ""; display: inline-block; width: .7em; height: .7em;
  margin-right: .4em; border-radius: .15em; background: var(--of); }
.legend span { margin-right: 1.25em; display: inline-block; }
.allow { --of: var(--allow); fill: var(--allow); } .tag { --of: var(--tag); fill: var(--tag); }
.warn { --of: var(--warn); fill: var(--warn); } .challenge { --of: var(--challenge); fill: var(--challenge); }
.route { --of: var(--route); fill: var(--route); } .reject { --of: var(--reject); fill: var(--reject); }
.chart th, .chart td { padding: .15rem .75rem .15rem 0; border: 0; vertical-align: middle; font-weight: 400; }
.chart td.bar { width: 100%; padding-right: 0; }
.chart svg { display: block; width: 100%; height: 1rem; }
@media (max-width: 40rem) {
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stack tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack td { display: block; border: 0; padding: .1rem 0; text-align: left; }
  .stack td[data-label]::before { content: attr(data-label) " "; color: var(--dim); background: none; width: auto; }
  .chart th, .chart td { padding-right: .4rem; font-size: .85rem; }
  .share { display: none; }
}
@media print { body { max-width: none; } }
""")


def page_of(report: Report, made_at: float) -> str:
    """The whole page."""
    title = f"{report.policy}{f' against {report.against}' if report.against else ''}: a replay of {report.history}"
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("style", STYLE),
    )
    parts = [
        element("h1", title),
        element("p", _span(report), class_="dim"),
        _figures(report),
        _actions(report),
        _chart(report.periods, weekly=report.weekly),
        *([_changes(report)] if report.against is not None else []),
        _mistakes(
            report.mistakes, report.stopped, "Stopped, and perhaps wrongly", "stopped (challenge, route, reject)"
        ),
        _mistakes(report.warned_mistakes, report.warned, "Warned of, and perhaps wrongly", "warned of"),
        _notes(report, made_at),
    ]
    body = element("body", element("main", *parts))
    return f"<!doctype html>\n{element('html', element('head', head), body, lang='en')}\n"


def bar_of(period: Period, most: int, title: str) -> Markup:
    """A stacked bar as SVG, of which `most` calls fill the width. It stretches: what it says stands beside it."""
    bars, x = [], 0
    cells = cells_of([period.actions[action] for action in ACTIONS], most, BAR_CELLS)
    for action, width in zip(ACTIONS, cells, strict=True):
        if width:
            bars.append(element("rect", x=x, y=0, width=width, height=10, class_=action))
        x += width
    about = {"viewBox": f"0 0 {BAR_CELLS} 10", "preserveAspectRatio": "none", "role": "img", "aria_label": title}
    return element("svg", element("title", title), *bars, **about)


def _span(report: Report) -> str:
    first = when(report.first_at) if report.first_at is not None else ""
    return f"{first} to {when(report.last_at)}. A shadow: what it decides changes nothing that happened."


def _figures(report: Report) -> Markup:
    figures = [
        ("inbound calls", f"{report.calls:,}"),
        ("stopped", f"{report.stopped:,}"),
        ("of these probably wrongly", f"{count_of(report.mistakes):,}"),
        ("warned of", f"{report.warned:,}"),
        ("outbound calls", f"{report.outbound:,}"),
        ("marks", f"{report.marks:,}"),
    ]
    if report.against is not None:
        figures.insert(1, (f"differ from {report.against}", f"{sum(report.changes.values()):,}"))
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in figures]
    return element("dl", *pairs, class_="figures")


def _actions(report: Report) -> Markup:
    headings = ["action", report.policy, "share"]
    if report.against_actions is not None:
        headings += [report.against or "", "share", "more"]
    rows = []
    for action in ACTIONS:
        row: list[object] = [_word(action), *_count(report.actions[action], report.calls)]
        if report.against_actions is not None:
            before = report.against_actions[action]
            row += [*_count(before, report.calls), f"{report.actions[action] - before:+,}"]
        rows.append(row)
    return _section("What would be done", "Inbound calls by what the policy orders", headings, rows, range(1, 6), "")


def _chart(periods: Sequence[Period], *, weekly: bool) -> Markup:
    most = max((sum(period.actions.values()) for period in periods), default=0) or 1
    rows = []
    for period in periods:
        calls = sum(period.actions.values())
        title = ", ".join(f"{period.actions[action]:,} {action}" for action in ACTIONS if period.actions[action])
        rows.append(
            element(
                "tr",
                element("th", period.first.isoformat(), scope="row", class_="nowrap"),
                element("td", f"{calls:,}", class_="figure"),
                element("td", bar_of(period, most, title or "no call"), class_="bar"),
            )
        )
    there = [action for action in ACTIONS if any(period.actions[action] for period in periods)]
    what = "Weeks" if weekly else "Days"
    return joined(
        element("h2", what),
        element("p", *(element("span", action, class_=action) for action in there), class_="legend"),
        element(
            "table",
            element("caption", f"Inbound calls a {'week (that begins on this day)' if weekly else 'day'}"),
            element("tbody", *rows),
            class_="chart",
        ),
    )


def _changes(report: Report) -> Markup:
    total = sum(report.changes.values())
    if not total:
        return joined(element("h2", "What differs"), element("p", f"No call differs from {report.against}."))
    by = [
        (joined(_word(before), " → ", _word(after)), f"{count:,}")
        for (before, after), count in report.changes.most_common()
    ]
    first = [
        (
            element("span", when(change.at), class_="nowrap"),
            change.number or "no number",
            joined(_word(change.before), " → ", _word(change.after)),
            change.rule,
            change.reason,
        )
        for change in report.first_changes
    ]
    caption = f"Calls by what {report.against} and {report.policy} do"
    shown = "All of them" if total <= len(first) else f"The first {len(first)} of {total:,}"
    return joined(
        _section("What differs", caption, (f"{report.against} → {report.policy}", "calls"), by, {1}, ""),
        _table(shown, ("time", "caller", "action", "rule", "because"), first, (), "stack"),
    )


def _mistakes(mistakes: Sequence[Mistake], of: int, title: str, what: str) -> Markup:
    if not mistakes:
        return joined(element("h2", title), element("p", f"No probable mistake among {of:,} calls {what}."))
    calls = count_of(mistakes)
    caption = f"{calls:,} of {of:,} calls {what} ({100 * calls / of:.2f} %), from {len(mistakes):,} numbers"
    rows = [
        (
            mistake.number,
            f"{mistake.calls:,}",
            joined(*(joined(", " if place else "", _word(action)) for place, action in enumerate(mistake.actions))),
            ", ".join(mistake.rules),
            "; ".join(mistake.why),
        )
        for mistake in mistakes[:SHOWN_MISTAKES]
    ]
    more = len(mistakes) - len(rows)
    return joined(
        _section(title, caption, ("caller", "calls", "action", "rule", "but"), rows, {1}, "stack"),
        element("p", f"And {more:,} more numbers: --json has all of them.", class_="dim") if more else "",
    )


def _notes(report: Report, made_at: float) -> Markup:
    refused = [f"{count:,} marks were refused: {why}." for why, count in sorted(report.refused_marks.items())]
    skipped = [f"{report.reading.skipped:,} lines of the history were skipped."] if report.reading.skipped else []
    made = f"Made on {when(made_at)} by callsieve replay. This page holds telephone numbers: they are personal data."
    notes = [*report.notes, *refused, *skipped, made]
    return joined(element("h2", "Notes"), *(element("p", note, class_="dim") for note in notes))


def _section(
    title: str,
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    figures: Iterable[int],
    kind: str,
) -> Markup:
    return joined(element("h2", title), _table(caption, headings, rows, figures, kind))


def _table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]], figures: Iterable[int], kind: str
) -> Markup:
    """`figures`: the columns that are numbers. `kind` "stack": on a narrow screen each row is a small card."""
    right = frozenset(figures)

    def cell(name: str, column: int, value: object) -> Markup:
        label = headings[column] if kind and name == "td" and column else None
        looks = " ".join(
            [*(["figure"] if column in right else []), *(["share"] if headings[column] == "share" else [])]
        )
        return element(name, value, class_=looks or None, data_label=label, scope="col" if name == "th" else None)

    head = element("thead", element("tr", *(cell("th", column, heading) for column, heading in enumerate(headings))))
    body = [element("tr", *(cell("td", column, value) for column, value in enumerate(row))) for row in rows]
    return element("table", element("caption", caption), head, element("tbody", *body), class_=kind or None)


def _word(action: str) -> Markup:
    return element("span", action, class_=f"action {action}")


def _count(count: int, of: int) -> tuple[str, str]:
    return f"{count:,}", f"{100 * count / of:.2f} %" if of else ""
