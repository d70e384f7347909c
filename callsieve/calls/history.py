"""Calls in words: the names of caller and callee, and what happened in the call."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from callsieve.settings import Settings
from callsieve.text.times import span_words
from callsieve.wiring import people_of
from reputation.model import ChallengeResult, Disposition
from reputation.site_names import name_at_site, site_of
from reputation.store.calls import COMMON_RULE, CallRow
from reputation.store.names import NumberName, names_of_numbers
from reputation.store.people import all_dids, all_people
from reputation.wording import N_, Wording, listed

# The words for actions, and for would-be actions of a policy that only observes.
DONE = {
    "allow": N_("rang as usual"),
    "tag": N_("labelled"),
    "warn": N_("warned"),
    "challenge": N_("challenged"),
    "route": N_("sent elsewhere"),
    "reject": N_("rejected"),
}
NOT_DONE = {
    "tag": N_("would be labelled"),
    "warn": N_("would be warned"),
    "challenge": N_("would be challenged"),
    "route": N_("would be sent elsewhere"),
    "reject": N_("would be rejected"),
}
# The reactions of challenged callers.
CHALLENGED: Mapping[str, Wording] = {
    ChallengeResult.PASSED: Wording("pressed the right digit"),
    ChallengeResult.WRONG: Wording("pressed a wrong digit"),
    ChallengeResult.SILENT: Wording("pressed nothing"),
    ChallengeResult.ABANDONED: Wording("hung up"),
    ChallengeResult.MESSAGE: Wording("left a message"),
    ChallengeResult.ROBOT: Wording("gave a name with a robot's voice"),
}
_UNANSWERED: Mapping[str, Wording] = {
    Disposition.BUSY: Wording("busy"),
    Disposition.REJECTED: Wording("the phone rejected the call"),
    Disposition.FAILED: Wording("reached nobody"),
    Disposition.NO_ANSWER: Wording("nobody answered"),
}


class CallView(StrEnum):
    """A group of calls that has its own tab on the page of calls."""

    STOPPED = "stopped"
    LABELLED = "labelled"
    WRONG = "wrong"


VIEW_ACTIONS: Mapping[CallView, Sequence[str]] = {
    CallView.STOPPED: ("challenge", "route", "reject"),
    CallView.LABELLED: ("tag", "warn"),
    CallView.WRONG: ("warn", "challenge", "route", "reject"),
}


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call with the names of both sides. `caller`: the name of the calling number; None if unknown.

    `callee`: the name of the callee; without a name, the extension or DID. `caller_of`: the person who has the caller
    as a contact; empty if the contact is shared by all people.
    """

    call: CallRow
    caller: NumberName | None
    callee: str
    caller_of: str = ""

    @property
    def happened(self) -> str | Wording:
        """Everything that happened to the call after the decision, in words; empty as long as nothing is known."""
        return listed(list(_happened(self.call)), "{some} · {more}")

    @property
    def ending(self) -> str | Wording:
        """The last thing that happened to the call, in two or three words; empty as long as nothing is known."""
        *_, last = ("", *_happened(self.call._replace(ring_seconds=None)))
        return last

    @property
    def done(self) -> str:
        """The action that CallSieve took, in words."""
        return done_words(self.call.action, self.call.would_be)

    @property
    def is_usual(self) -> bool:
        """Whether the call was allowed, and would have been allowed without observe mode too."""
        return self.call.action == self.call.would_be == "allow"

    @property
    def has_reason(self) -> bool:
        """Whether a rule other than the default rule decided."""
        return self.call.rule != COMMON_RULE


def done_words(action: str, would_be: str) -> str:
    """Return the action in words: `rejected`, or `would be rejected` if the policy only observes."""
    return NOT_DONE[would_be] if would_be != action and would_be in NOT_DONE else DONE.get(action, action)


def call_lines(db: sqlite3.Connection, settings: Settings, calls: Sequence[CallRow], now: float) -> list[CallLine]:
    """Return the calls with the names of both sides."""
    callers = names_of_numbers(db, {call.caller for call in calls if call.caller}, now)
    people = people_names(db, settings)
    dids = {did.number: people.get(did.callee or "", "") or ", ".join(did.groups) for did in all_dids(db)}
    lines = []
    for call in calls:
        caller = callers.get(call.caller or "")
        callee = _name_of(call.callee or call.answered_by, people) or dids.get(call.did or "") or call.did or ""
        lines.append(CallLine(call, caller, callee, _name_of(caller.person, people) if caller else ""))
    return lines


def people_names(db: sqlite3.Connection, settings: Settings) -> dict[str, str]:
    """Return the names of the people of this organisation, by extension."""
    return {person.extension: person.name for person in (*all_people(db), *people_of(settings)) if person.name}


def _name_of(person: str | None, people: Mapping[str, str]) -> str:
    if not person:
        return ""
    return name_at_site(person) if site_of(person) else people.get(person, person)


def _happened(call: CallRow) -> Iterator[Wording]:
    # Rows of other sites may hold any text.
    if (result := CHALLENGED.get(call.challenge or "")) is not None:
        yield result
    is_stopped = call.action == "reject" or call.challenge not in (None, ChallengeResult.PASSED)
    if call.disposition == Disposition.ANSWERED:
        yield Wording("talked {span}", {"span": span_words(call.talk_seconds or 0.0)})
    elif call.disposition == Disposition.NO_ANSWER and call.ring_seconds and not is_stopped:
        yield Wording("rang {span}, nobody answered", {"span": span_words(call.ring_seconds)})
    elif (unanswered := _UNANSWERED.get(call.disposition or "")) is not None and not is_stopped:
        yield unanswered
    if call.voicemail_left and call.challenge != ChallengeResult.MESSAGE:
        yield CHALLENGED[ChallengeResult.MESSAGE]
