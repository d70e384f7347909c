"""The report of a replay for the terminal: counts, a chart by days, differences and probable mistakes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from callsieve.cli.input_file import warn_of_skipped
from callsieve.cli.output import COLOURS, Cell, bold, cells_of, console, dim, plural, print_table, say, word
from callsieve.replay.false_positives import REMEDIES, FalsePositive, count_of
from callsieve.replay.label_effect import SEEN, LabelEffect
from callsieve.replay.report import ACTIONS, Period, ReplayReport
from callsieve.text.times import when
from reputation.formulas import Interval

SHOWN_MISTAKES = 20
SHOWN_WAYS = 5
# Can be distinguished without colours.
BLOCK = {"allow": "·", "tag": "░", "warn": "▒", "challenge": "▓", "route": "▚", "reject": "█"}


def show_report(report: ReplayReport, written: Sequence[Path]) -> None:
    """Print the whole report. Remarks about skipped lines go to standard error."""
    warn_of_skipped(report.reading.problems, report.reading.skipped)
    _show_head(report)
    if report.against is not None:
        say()
        _show_changes(report)
    say()
    _show_actions(report)
    say()
    show_mistakes(report.mistakes, report.stopped, "stopped", "challenge, route, reject")
    show_mistakes(report.warned_mistakes, report.warned, "warned about")
    say()
    show_periods(report.periods, weekly=report.weekly)
    if report.control_sample.enough:
        say()
        _show_label_effect(report.control_sample)
    say()
    for caveat in _caveats(report):
        say(dim(caveat))
    for path in written:
        say(f"Written: {path}")


def _show_head(report: ReplayReport) -> None:
    against = f" compared with {report.against}" if report.against is not None else ""
    say(bold(report.policy), f"{against} on {report.history}")
    instants = (report.first_at, report.last_at)
    span = " to ".join(when(at) for at in instants if at is not None)
    refused = sum(report.marks_refused.values())
    parts = [
        plural(report.calls, "inbound call")
        + (f" ({report.calls_without_number:,} without a number)" if report.calls_without_number else ""),
        f"{report.outbound:,} outbound",
        plural(report.marks, "mark") + (f" and {refused:,} refused" if refused else ""),
    ]
    unit = "lines" if report.reading.line else "calls and marks"
    say(f"{span}: {', '.join(parts)}; read {report.reading.read:,} {unit} in {report.seconds:.1f} s")
    for why, count in sorted(report.marks_refused.items()):
        say(dim(f"refused {plural(count, 'mark')}: {why}"))


def _show_actions(report: ReplayReport) -> None:
    rows: list[list[Cell]] = []
    for action in ACTIONS:
        row: list[Cell] = [word(action), *_count(report.actions[action], report.calls)]
        if report.against_actions is not None:
            before = report.against_actions[action]
            row += [*_count(before, report.calls), f"{report.actions[action] - before:+,}"]
        rows.append(row)
    headings = ["action", "calls", ""]
    if report.against_actions is not None:
        headings = ["action", report.policy, "", report.against or "", "", "difference"]
    print_table(headings, rows, right=range(1, len(headings)))


def _caveats(report: ReplayReport) -> Iterator[str]:
    yield report.notes[0]
    source = " from CDRs" if report.reading.kind.startswith("cdr-") else ""
    count = report.assumed.total()
    assumed = (
        f": {plural(count, 'call')} would perhaps not have come, because an earlier call was treated differently"
        if count
        else ""
    )
    yield f"An estimate{source}{assumed}. For its limits: --html FILE or --json."


def _show_label_effect(effect: LabelEffect) -> None:
    with_warning, without = effect.labelled.calls, effect.unlabelled.calls
    both = f"{with_warning:,} calls had a warning, {without:,} had none because of the control sample"
    say(bold("Effect of warnings"), f": {both}")
    rows: list[list[Cell]] = [
        [SEEN[row.what], *map(_with_interval, (row.labelled, row.unlabelled, row.difference))] for row in effect.seen
    ]
    print_table(
        ("share of calls (95 % interval)", "with a warning", "without a warning", "difference"),
        rows,
        keep=(0,),
        right=(1, 2, 3),
    )


def _with_interval(share: Interval) -> str:
    value, low, high = (100 * part for part in share)
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _count(count: int, of: int) -> tuple[str, str]:
    return f"{count:,}", f"{100 * count / of:.2f} %" if of else ""


def show_periods(periods: Sequence[Period], *, weekly: bool) -> None:
    """Print a stacked bar for each day or week. Each action that occurs gets at least one character."""
    most = max((sum(period.actions.values()) for period in periods), default=0)
    if not most:
        return
    numbers = max(len("calls"), len(f"{most:,}"))
    width = max(10, min(console().width, 110) - 10 - numbers - 4)
    shown = [action for action in ACTIONS if any(period.actions[action] for period in periods)]
    legend = [Text.assemble((BLOCK[action] * 2, COLOURS[action]), f" {action}  ") for action in shown]
    say(dim(f"{'week of' if weekly else 'day':10}  {'calls':>{numbers}}  "), *legend)
    for period in periods:
        total = sum(period.actions.values())
        cells = cells_of([period.actions[action] for action in shown], most, width)
        bar = [Text(BLOCK[action] * count, COLOURS[action]) for action, count in zip(shown, cells, strict=True)]
        say(f"{period.first}  {total:>{numbers},}  ", *bar)


def _show_changes(report: ReplayReport) -> None:
    total = report.changes.total
    if not total:
        say(f"No call is decided differently than by {report.against}.")
        return
    say(bold(f"{plural(total, 'call')} decided differently than by {report.against}"))
    rows = [
        (Text.assemble(word(change.before), " → ", word(change.after)), f"{change.calls:,}")
        for change in report.changes.by
    ]
    print_table((), rows, keep=(0, 1), right=(1,))
    say()
    if total > len(report.changes.first):
        say(dim(f"The first {len(report.changes.first)}:"))
    print_table(
        ("time", "caller", f"{report.against} → {report.policy}", "by", "why"),
        [
            (
                when(c.at)[len("2026-") :],
                c.number or "no number",
                Text.assemble(word(c.before), " → ", word(c.after)),
                c.rule,
                c.reason,
            )
            for c in report.changes.first
        ],
        keep=(0, 1, 2),
    )


def show_mistakes(
    mistakes: Sequence[FalsePositive], of: int, what: str, actions: str = "", most: int = SHOWN_MISTAKES
) -> None:
    """Print the first `most` numbers whose calls were probably wanted.

    `of`: how many calls were stopped or warned about. `what`: words for these calls, such as "warned about". `actions`:
    the names of their actions.
    """
    if not mistakes:
        say(f"No probable mistake among the {plural(of, 'call')} {what}{f' ({actions})' if actions else ''}.")
        return
    calls = count_of(mistakes)
    say(
        bold(f"{plural(calls, 'probable mistake')} among the {plural(of, 'call')} {what}"),
        f" ({100 * calls / of:.2f} %), from {plural(len(mistakes), 'number')}:",
    )
    shown = mistakes[:most]
    print_table(
        ("caller", "calls", "action", "rule", "why probably wanted"),
        [_row_of(m) for m in shown],
        keep=(0, 1, 2),
        right=(1,),
    )
    if len(mistakes) > len(shown):
        where = "--all shows more" if most < SHOWN_MISTAKES else "--json has all of them"
        say(dim(f"and {plural(len(mistakes) - len(shown), 'more number')}: {where}"))
    show_remedies([mistake for mistake in shown if mistake.is_machine][:SHOWN_WAYS])


def show_remedies(machines: Sequence[FalsePositive]) -> None:
    """Print how to let these automated callers through, which are probably wanted but cannot press a digit."""
    if not machines:
        return
    say("Automated callers come first, the most likely wanted ones at the top. To let one ring, the person who got the")
    say(
        f"caller's message dials {REMEDIES['not-spam']}, or the owner of the number proves control of it "
        f"({REMEDIES['prove']}), or for everybody:"
    )
    for machine in machines:
        say(f"  {machine.remedies['allow']}")


def _row_of(mistake: FalsePositive) -> tuple[Cell, ...]:
    actions = Text(", ").join(word(action) for action in mistake.actions)
    return mistake.number, f"{mistake.calls:,}", actions, ", ".join(mistake.rules), "; ".join(map(str, mistake.why))
