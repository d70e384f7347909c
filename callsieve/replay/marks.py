"""Marks in a replay: the rules of reputation/marking.py, in memory and with the clock of the history.

Own numbers and contacts cannot be marked, and nobody may mark more than 20 numbers a day. A history has no reasons for
marks, so the reason that is required to mark a verified business is not checked.
"""

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
    """The marks so far, and the calls to which marks may refer. `refused`: how many marks were refused, by reason."""

    def __init__(self, ledger: MemoryStore, own_numbers: frozenset[str], is_contact: Callable[[str], bool]) -> None:
        self.taken = 0
        self.refused: Counter[str] = Counter()
        self._ledger = ledger
        self._own_numbers = own_numbers
        self._is_contact = is_contact
        self._number_of_call: dict[str, str | None] = {}
        self._class_of_call: dict[str, AuthClass] = {}  # calls that are not in it are `unknown`
        self._class_of_last: dict[str | tuple[str, str], AuthClass] = {}
        self._marked_by: defaultdict[str, OrderedDict[str, float]] = defaultdict(OrderedDict)
        self._blocked: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._unblocked: dict[tuple[str, str], float] = {}

    def knows(self, linkedid: str) -> bool:
        """Return whether the call was added before."""
        return linkedid in self._number_of_call

    def add_call(self, outcome: OutcomeRecord) -> None:
        """Add a call that begins. Marks of this call get the authentication class of the call."""
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
        """Add an outgoing call that begins."""
        self._number_of_call[linkedid] = None

    def take(self, mark: Mark) -> None:
        """Add a mark with the authentication class of its call, or count the reason for refusing the mark."""
        refusal = self._refusal(mark)
        if refusal:
            self.refused[refusal] += 1
            return
        self.taken += 1
        self._note(mark)
        written = replace(mark, auth_class=self._class_of(mark))
        earlier = [own_mark for own_mark in self._ledger.marks(mark.number) if own_mark.reporter == mark.reporter]
        self._ledger.add_mark(written)
        if mark.verdict is Verdict.SPAM:
            self._blocked[mark.number][mark.reporter] = mark.at
            return
        self._blocked[mark.number].pop(mark.reporter, None)
        self._unblocked[mark.number, mark.reporter] = mark.at
        for own_mark in earlier:
            if own_mark.auth_class is not written.auth_class and own_mark.verdict is not Verdict.RETRACTED:
                self._ledger.add_mark(replace(own_mark, verdict=Verdict.RETRACTED, at=max(mark.at, own_mark.at)))

    def blocks(self, number: str) -> Mapping[str, float]:
        """Return the people whose mark blocked the number, with the time of the mark."""
        return self._blocked.get(number, {})

    def unblocked_at(self, number: str, person: str) -> float:
        """Return when the person last marked the number as not spam; -1 if never."""
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
        # The class of the call that it names, else of the last call to the reporter, else of the number's last call.
        number, call = mark.number, mark.linkedid
        if call is not None and self._number_of_call.get(call) == number:
            return self._class_of_call.get(call, AuthClass.UNKNOWN)
        of_last = self._class_of_last
        return of_last.get((number, mark.reporter)) or of_last.get(number) or AuthClass.UNKNOWN
