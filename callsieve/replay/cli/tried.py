"""The command `callsieve policy try`: show the callers that a policy would have stopped in the last days."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.output import Cell, bold, dim, plural, print_pairs, print_table, say, word
from callsieve.replay.cli.commands import ReplayQuestion, chosen_policy, run_replay
from callsieve.replay.cli.terminal import show_remedies
from callsieve.replay.engine import Judged
from callsieve.replay.false_positives import FalsePositive, ProbableMistakes
from callsieve.replay.history_file import Event
from callsieve.replay.report import ChangeCount, ReplayReport
from policies.decision import Action
from policies.loader import PRESETS
from policies.policy import Policy, PolicySet
from reputation.model import Disposition, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import TALK_SECONDS, was_hung_up_on
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.wording import Wording


class CallerBehaviour(StrEnum):
    """How a call went, as a sign of whether the call was wanted. The clearest signs come first."""

    COMPLAINT = "marked, or hung up on at once"
    TALKED = "talked for 30 s or longer"
    ANSWERED = "answered, and talked for less than 30 s"
    MESSAGE = "left a message"
    UNANSWERED = "nobody answered"


class TriedCalls:
    """The calls that the first policy would stop (challenge, route or reject), but the second policy would let ring."""

    def __init__(self) -> None:
        self.calls: Counter[CallerBehaviour] = Counter()
        self.withheld = 0
        self._by_number: defaultdict[str, list[CallerBehaviour]] = defaultdict(list)
        self._marked: set[str] = set()

    def add(self, event: Event, judged: Judged | None) -> None:
        """Count an event with the decisions of both policies."""
        if isinstance(event, Mark):
            if event.verdict is Verdict.SPAM:
                self._marked.add(event.number)
        elif judged is not None and _is_newly_stopped(judged):
            behaviours, number = behaviour_in(judged.outcome), judged.outcome.caller
            self.calls[behaviours] += 1
            if number is None:
                self.withheld += 1
            else:
                self._by_number[number].append(behaviours)

    def numbers(self) -> frozenset[str]:
        """Return the phone numbers of the callers."""
        return frozenset(self._by_number)

    def by_number(self) -> Iterator[tuple[str, CallerBehaviour]]:
        """Yield each caller with a number, and the clearest sign that its calls gave."""
        for number, behaviours in self._by_number.items():
            is_marked = number in self._marked
            yield (
                number,
                CallerBehaviour.COMPLAINT
                if is_marked
                else next(kind for kind in CallerBehaviour if kind in behaviours),
            )

    def callers(self) -> dict[CallerBehaviour, int]:
        """Return how many callers showed each behaviour, without callers who withheld their numbers."""
        counts = Counter(behaviours for _, behaviours in self.by_number())
        return {behaviours: counts[behaviours] for behaviours in CallerBehaviour}


def behaviour_in(outcome: OutcomeRecord) -> CallerBehaviour:
    """Return how a call went, according to its outcome. Marks are not considered."""
    if outcome.voicemail_left:
        return CallerBehaviour.MESSAGE
    if outcome.disposition is not Disposition.ANSWERED:
        return CallerBehaviour.UNANSWERED
    if outcome.talk_seconds >= TALK_SECONDS:
        return CallerBehaviour.TALKED
    return CallerBehaviour.COMPLAINT if was_hung_up_on(outcome) else CallerBehaviour.ANSWERED


def _is_newly_stopped(judged: Judged) -> bool:
    tried, running = judged.compared
    return running < Action.CHALLENGE <= tried


SHOWN = 5
# The effect of the policy on each kind of callers.
MEANS = {
    CallerBehaviour.COMPLAINT: "kept away, unless they press a digit",
    CallerBehaviour.TALKED: "wanted callers; automated callers would be lost",
    CallerBehaviour.ANSWERED: "deliveries, for example",
    CallerBehaviour.MESSAGE: "mostly wanted",
    CallerBehaviour.UNANSWERED: "unknown",
}


class ShownCallers(NamedTuple):
    """How many callers showed a behaviour. `showed`: the behaviour, as the name of a member of CallerBehaviour."""

    showed: str
    calls: int
    callers: int


class ShownNumber(NamedTuple):
    """A phone number, and the clearest sign that its calls gave. `showed`: the name of a member of CallerBehaviour."""

    number: str
    showed: str


class KeptAway(NamedTuple):
    """The calls that the tried policy would have stopped, but the active policy lets ring."""

    calls: int
    callers: int
    withheld: int
    by: list[ShownCallers]
    numbers: list[ShownNumber]


class ShownTrial(NamedTuple):
    """The effect of a policy, compared with the active policy."""

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
        int, typer.Option(min=1, max=OUTCOME_DAYS, metavar="DAYS", help="How many days to replay.")
    ] = OUTCOME_DAYS,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the callers that a policy would have stopped, compared with the active policy. Changes nothing."""
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
    say(
        bold(report.policy),
        f" on {report.history}: {plural(report.calls, 'inbound call')}, replayed in {report.seconds:.1f} s",
    )
    if price is not None:
        print_pairs([("Disadvantage:", str(price))])
    if not newly:
        say(f"The policy would have stopped no call that {report.against} lets ring.")
    else:
        withheld = f", and {plural(tried.withheld, 'call')} without a number" if tried.withheld else ""
        callers = plural(len(tried.numbers()), "caller")
        calls = plural(newly, "call")
        say(f"The policy would have stopped {calls} that {report.against} lets ring: {callers}{withheld}.")
        _show_callers(tried)
    _show_other_changes(report)
    machines = [mistake for mistake in lost if mistake.is_machine]
    if lost:
        say(f"Callers that were probably wanted: {len(lost):,}, {len(machines):,} of them automated.")
        rows = [(mistake.number, f"{mistake.calls:,}", "; ".join(map(str, mistake.why))) for mistake in lost[:SHOWN]]
        print_table(("caller", "calls", "because"), rows, keep=(0, 1), right=(1,))
        if len(lost) > SHOWN:
            say(dim(f"and {plural(len(lost) - SHOWN, 'more caller')}: --json has all of them"))
        show_remedies(machines[:SHOWN])


def _show_callers(tried: TriedCalls) -> None:
    rows: list[list[Cell]] = [
        [behaviour.value, f"{callers:,}", f"{tried.calls[behaviour]:,}", MEANS[behaviour]]
        for behaviour, callers in tried.callers().items()
        if tried.calls[behaviour] or callers
    ]
    print_table(("how the callers' calls ended", "callers", "calls", "meaning"), rows, keep=(1, 2), right=(1, 2))
    known = [
        (number, behaviour) for number, behaviour in tried.by_number() if behaviour is not CallerBehaviour.UNANSWERED
    ]
    for number, behaviour in known[:SHOWN]:
        say(f"  {number}  {behaviour}")
    if len(known) > SHOWN:
        say(dim(f"  and {plural(len(known) - SHOWN, 'more caller')}: --json has all of them"))


def _show_other_changes(report: ReplayReport) -> None:
    others = [change for change in report.changes.by if change.after not in ("challenge", "route", "reject")]
    if others:
        parts = [Text.assemble(word(other.before), " → ", word(other.after), f" {other.calls:,}") for other in others]
        say("Other differences: ", Text(", ").join(parts), ".")
