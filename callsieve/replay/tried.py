"""What the callers were like whom a policy would newly ask or stop, by how their calls went. Pure.

tried = TriedCalls(); tried.add(event, judged)      in time order, beside a replay of two policies
tried.callers() -> {Showed.TALKED: [...], ...}
"""

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


class Showed(StrEnum):
    """What a call showed of its caller, the plainest first."""

    COMPLAINT = "marked, or hung up on at once"
    TALKED = "talked for 30 s or longer"
    ANSWERED = "answered, and a shorter talk"
    MESSAGE = "left a message"
    UNANSWERED = "nobody answered"


class TriedCalls:
    """Counts the calls that the first policy would ask or stop, and the second would not."""

    def __init__(self) -> None:
        self.calls: Counter[Showed] = Counter()
        self.withheld = 0
        self._by_number: defaultdict[str, list[Showed]] = defaultdict(list)
        self._marked: set[str] = set()

    def add(self, event: Event, judged: Judged | None) -> None:
        """Count one event, and what both policies would have done."""
        if isinstance(event, Mark):
            if event.verdict is Verdict.SPAM:
                self._marked.add(event.number)
        elif judged is not None and _is_newly_stopped(judged):
            showed, number = showed_by(judged.outcome), judged.outcome.caller
            self.calls[showed] += 1
            if number is None:
                self.withheld += 1
            else:
                self._by_number[number].append(showed)

    def numbers(self) -> frozenset[str]:
        """Return the numbers of the callers."""
        return frozenset(self._by_number)

    def by_number(self) -> Iterator[tuple[str, Showed]]:
        """Yield each caller with a number, and what describes its calls best."""
        for number, showed in self._by_number.items():
            is_marked = number in self._marked
            yield number, Showed.COMPLAINT if is_marked else next(one for one in Showed if one in showed)

    def callers(self) -> dict[Showed, int]:
        """Return how many callers are best described by which of these; who withholds a number is not among them."""
        counts = Counter(showed for _, showed in self.by_number())
        return {showed: counts[showed] for showed in Showed}


def showed_by(outcome: OutcomeRecord) -> Showed:
    """Return what the call showed, but for marks."""
    if outcome.voicemail_left:
        return Showed.MESSAGE
    if outcome.disposition is not Disposition.ANSWERED:
        return Showed.UNANSWERED
    if outcome.talk_seconds >= TALK_SECONDS:
        return Showed.TALKED
    return Showed.COMPLAINT if was_hung_up_on(outcome) else Showed.ANSWERED


def _is_newly_stopped(judged: Judged) -> bool:
    tried, running = (decision.would_be for decision in judged.decisions)
    return running < Action.CHALLENGE <= tried
