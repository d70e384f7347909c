"""`callsieve policy try`: the callers that a policy would have asked or stopped in the last days."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.output import Cell, bold, dim, plural, print_pairs, print_table, say, word
from callsieve.replay.cli.commands import ReplayQuestion, chosen_policy, run_replay
from callsieve.replay.cli.terminal import show_remedies
from callsieve.replay.false_positives import FalsePositive, ProbableMistakes
from callsieve.replay.report import ChangeCount, ReplayReport
from callsieve.replay.tried import CallerBehaviour, TriedCalls
from policies.loader import PRESETS
from policies.policy import Policy, PolicySet
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.wording import Wording

SHOWN = 5
# The effect of the policy on each kind of callers.
MEANS = {
    CallerBehaviour.COMPLAINT: "kept away, unless they press a digit",
    CallerBehaviour.TALKED: "wanted; machines would be lost",
    CallerBehaviour.ANSWERED: "deliveries, for example",
    CallerBehaviour.MESSAGE: "mostly wanted",
    CallerBehaviour.UNANSWERED: "unknown",
}


class ShownCallers(NamedTuple):
    """The calls that went one way. `showed`: a name of CallerBehaviour."""

    showed: str
    calls: int
    callers: int


class ShownNumber(NamedTuple):
    """A number, and what its calls showed."""

    number: str
    showed: str


class KeptAway(NamedTuple):
    """The calls that the policy would have asked or stopped."""

    calls: int
    callers: int
    withheld: int
    by: list[ShownCallers]
    numbers: list[ShownNumber]


class ShownTrial(NamedTuple):
    """The effect of a policy, beside the policy in force."""

    policy: str
    against: str | None
    calls: int
    asked_or_stopped: KeptAway
    changes: list[ChangeCount]
    probable_mistakes: ProbableMistakes
    seconds: float


def try_policy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A preset, a policy's name, or a FILE.toml.")],
    days: Annotated[
        int, typer.Option(min=1, max=OUTCOME_DAYS, metavar="DAYS", help="How many days back.")
    ] = OUTCOME_DAYS,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the callers that a policy would have asked or stopped, beside the running policy. Changes nothing."""
    loaded = settings_of(config)
    chosen, running = chosen_policy(name, loaded), chosen_policy(None, loaded)
    tried = TriedCalls()
    report = run_replay(ReplayQuestion(None, days), loaded, [chosen, running], tried.add)
    lost = [mistake for mistake in report.mistakes if mistake.number in tried.numbers()]
    if as_json:
        print_json(_shown(report, tried, lost))
    else:
        _show(report, tried, lost, _price_of(chosen[1]))


def _price_of(policy: Policy | PolicySet) -> Wording | None:
    chain = policy.chain if isinstance(policy, Policy) else ()
    return next((price for name in chain if name in PRESETS and (price := PRESETS[name].price)), None)


def _shown(report: ReplayReport, tried: TriedCalls, lost: list[FalsePositive]) -> ShownTrial:
    callers = [
        ShownCallers(behaviour.name.lower(), tried.calls[behaviour], count)
        for behaviour, count in tried.callers().items()
    ]
    numbers = [ShownNumber(number, behaviour.name.lower()) for number, behaviour in tried.by_number()]
    kept_away = KeptAway(sum(tried.calls.values()), len(tried.numbers()), tried.withheld, callers, numbers)
    changes, mistakes = report.changes.by, ProbableMistakes.of(lost)
    return ShownTrial(report.policy, report.against, report.calls, kept_away, changes, mistakes, report.seconds)


def _show(report: ReplayReport, tried: TriedCalls, lost: list[FalsePositive], price: Wording | None) -> None:
    newly = sum(tried.calls.values())
    say(bold(report.policy), f" on {report.history}: {plural(report.calls, 'inbound call')}, in {report.seconds:.1f} s")
    if price is not None:
        print_pairs([("The price:", str(price))])
    if not newly:
        say(f"It would have asked or stopped no call that {report.against} lets ring.")
    else:
        withheld = f", and {plural(tried.withheld, 'call')} without a number" if tried.withheld else ""
        callers = plural(len(tried.numbers()), "caller")
        calls = plural(newly, "call")
        say(f"It would have asked or stopped {calls} that {report.against} lets ring: {callers}{withheld}.")
        _show_callers(tried)
    _show_other_changes(report)
    machines = [mistake for mistake in lost if mistake.is_machine]
    if lost:
        say(f"Probably wanted: {plural(len(lost), 'caller')}, {len(machines)} of them machines.")
        rows = [(mistake.number, f"{mistake.calls:,}", "; ".join(map(str, mistake.why))) for mistake in lost[:SHOWN]]
        print_table(("caller", "calls", "because"), rows, keep=(0, 1), right=(1,))
        if len(lost) > SHOWN:
            say(dim(f"and {len(lost) - SHOWN:,} more: --json has all of them"))
        show_remedies(machines[:SHOWN])


def _show_callers(tried: TriedCalls) -> None:
    rows: list[list[Cell]] = [
        [behaviour.value, f"{callers:,}", f"{tried.calls[behaviour]:,}", MEANS[behaviour]]
        for behaviour, callers in tried.callers().items()
        if tried.calls[behaviour] or callers
    ]
    print_table(("how their calls went", "callers", "calls", ""), rows, keep=(1, 2), right=(1, 2))
    known = [
        (number, behaviour) for number, behaviour in tried.by_number() if behaviour is not CallerBehaviour.UNANSWERED
    ]
    for number, behaviour in known[:SHOWN]:
        say(f"  {number}  {behaviour}")
    if len(known) > SHOWN:
        say(dim(f"  and {plural(len(known) - SHOWN, 'more caller')} with known calls: --json has all"))


def _show_other_changes(report: ReplayReport) -> None:
    others = [change for change in report.changes.by if change.after not in ("challenge", "route", "reject")]
    if others:
        parts = [Text.assemble(word(other.before), " → ", word(other.after), f" {other.calls:,}") for other in others]
        say("Other differences: ", Text(", ").join(parts), ".")
