"""Marks in a replay: the same door as reputation/marking.py, kept in memory and by the clock of the history.

A replay applies the rules that are properties of the data: own numbers and contacts cannot be marked, and nobody marks
more than 20 numbers a day. A history tells no reasons, so it is not asked for those that a verified business needs.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

from reputation.marking import DAY_SECONDS, MARKS_A_DAY
from reputation.memory_store import MemoryStore
from reputation.model import AuthClass, Mark, Verdict
from reputation.outcome import OutcomeRecord

OWN_NUMBER = "one of our own numbers"
CONTACT = "a contact of somebody here"
TOO_MANY = f"more than {MARKS_A_DAY} numbers within a day"


class Marks:
    """What people have said so far, and which calls it can be about. `refused` counts by the reason."""

    def __init__(self, ledger: MemoryStore, own_numbers: frozenset[str], is_contact: Callable[[str], bool]) -> None:
        self.taken = 0
        self.refused: Counter[str] = Counter()
        self._ledger = ledger
        self._own_numbers = own_numbers
        self._is_contact = is_contact
        self._number_of_call: dict[str, str | None] = {}
        self._class_of_call: dict[str, AuthClass] = {}  # of calls that are not here: `unknown`
        self._class_of_last: dict[str | tuple[str, str], AuthClass] = {}
        self._marked_by: defaultdict[str, OrderedDict[str, float]] = defaultdict(OrderedDict)
        self._blocked: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._unblocked: dict[tuple[str, str], float] = {}

    def knows(self, linkedid: str) -> bool:
        """Whether the call has been there."""
        return linkedid in self._number_of_call

    def add_call(self, outcome: OutcomeRecord) -> None:
        """A call begins: a mark that follows is kept in its class."""
        number, auth_class = outcome.caller, outcome.auth_class
        self._number_of_call[outcome.linkedid] = number
        if number is None:
            return
        if auth_class is not AuthClass.UNKNOWN:
            self._class_of_call[outcome.linkedid] = auth_class
        self._class_of_last[number] = auth_class
        for person in outcome.rung:
            self._class_of_last[number, person] = auth_class

    def add_outbound(self, linkedid: str) -> None:
        """A call of ours begins."""
        self._number_of_call[linkedid] = None

    def say(self, mark: Mark) -> None:
        """Takes a mark in the class of its call, or counts why it is refused."""
        refusal = self._refusal(mark)
        if refusal:
            self.refused[refusal] += 1
            return
        self.taken += 1
        self._note(mark)
        written = replace(mark, auth_class=self._class_of(mark))
        said = [one for one in self._ledger.marks(mark.number) if one.reporter == mark.reporter]
        self._ledger.add_mark(written)
        if mark.verdict is Verdict.SPAM:
            self._blocked[mark.number][mark.reporter] = mark.at
            return
        self._blocked[mark.number].pop(mark.reporter, None)
        self._unblocked[mark.number, mark.reporter] = mark.at
        for one in said:
            if one.auth_class is not written.auth_class and one.verdict is not Verdict.RETRACTED:
                self._ledger.add_mark(replace(one, verdict=Verdict.RETRACTED, at=max(mark.at, one.at)))

    def blocks(self, number: str) -> Mapping[str, float]:
        """Who has blocked the number by a mark, and since when."""
        return self._blocked.get(number, {})

    def unblocked_at(self, number: str, person: str) -> float:
        """When the person has last said that the number is no spam; -1 for never."""
        return self._unblocked.get((number, person), -1.0)

    def _refusal(self, mark: Mark) -> str:
        if mark.number in self._own_numbers:
            return OWN_NUMBER
        marked = self._marked_by[mark.reporter]
        while marked and next(iter(marked.values())) <= mark.at - DAY_SECONDS:
            marked.popitem(last=False)
        if len(marked) - (mark.number in marked) >= MARKS_A_DAY:
            return TOO_MANY
        return CONTACT if mark.verdict is Verdict.SPAM and self._is_contact(mark.number) else ""

    def _note(self, mark: Mark) -> None:
        marked = self._marked_by[mark.reporter]
        marked[mark.number] = mark.at
        marked.move_to_end(mark.number)

    def _class_of(self, mark: Mark) -> AuthClass:
        """The class of its call, else of the last call from the number to the reporter, else of its last call."""
        number, call = mark.number, mark.linkedid
        if call is not None and self._number_of_call.get(call) == number:
            return self._class_of_call.get(call, AuthClass.UNKNOWN)
        of_last = self._class_of_last
        return of_last.get((number, mark.reporter)) or of_last.get(number) or AuthClass.UNKNOWN
