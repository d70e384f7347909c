"""The callers that a policy would newly ask or stop, by how their calls went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from enum import StrEnum

from callsieve.replay.engine import Judged
from callsieve.replay.history_file import Event
from policies.decision import Action
from reputation.model import Disposition, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import TALK_SECONDS, was_hung_up_on


class CallerBehaviour(StrEnum):
    """How a call of the caller went, the clearest first."""

    COMPLAINT = "marked, or hung up on at once"
    TALKED = "talked for 30 s or longer"
    ANSWERED = "answered, and a shorter talk"
    MESSAGE = "left a message"
    UNANSWERED = "nobody answered"


class TriedCalls:
    """Counts the calls that the first policy would ask or stop, but the second would not."""

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
        """Return the numbers of the callers."""
        return frozenset(self._by_number)

    def by_number(self) -> Iterator[tuple[str, CallerBehaviour]]:
        """Yield each caller with a number, and the clearest of how its calls went."""
        for number, behaviours in self._by_number.items():
            is_marked = number in self._marked
            yield (
                number,
                CallerBehaviour.COMPLAINT
                if is_marked
                else next(kind for kind in CallerBehaviour if kind in behaviours),
            )

    def callers(self) -> dict[CallerBehaviour, int]:
        """Return the number of callers for each behaviour, without those who withheld their number."""
        counts = Counter(behaviours for _, behaviours in self.by_number())
        return {behaviours: counts[behaviours] for behaviours in CallerBehaviour}


def behaviour_in(outcome: OutcomeRecord) -> CallerBehaviour:
    """Return how a call went, apart from marks."""
    if outcome.voicemail_left:
        return CallerBehaviour.MESSAGE
    if outcome.disposition is not Disposition.ANSWERED:
        return CallerBehaviour.UNANSWERED
    if outcome.talk_seconds >= TALK_SECONDS:
        return CallerBehaviour.TALKED
    return CallerBehaviour.COMPLAINT if was_hung_up_on(outcome) else CallerBehaviour.ANSWERED


def _is_newly_stopped(judged: Judged) -> bool:
    tried, running = (decision.would_be for decision in judged.decisions)
    return running < Action.CHALLENGE <= tried
