"""Feature codes that people dial, and keys that they press during a call.

If a code is dialled again within a minute, its effect is undone. A code for a phone setting can be undone at any time.

The module also finds the last call that rang a person's phone or was stopped before, to explain how it was treated. A
call to a group has one decision for all phones, so the module applies the person's own list and contacts to this
decision (docs/contributing/decisions/per-phone.md).
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from reputation.encoding import parse_plain
from reputation.marking import DAY_SECONDS, UNDO_SECONDS, MarkResult, MarkStatement, MarkStatus, mark, mark_last_caller
from reputation.model import DecisionRecord, ListName, MarkChannel, PhoneSetting, Tie, Verdict
from reputation.store import do_not_call, lists
from reputation.store.audit import AuditRow, Change, add_audit, audit_rows
from reputation.store.devices import add_passcode
from reputation.store.journal import decisions, latest_for
from reputation.store.marks import last_caller_of
from reputation.store.people import person_of_endpoint

VERDICTS = {"spam": Verdict.SPAM, "ok": Verdict.OK}
LISTS = {"allow": ListName.ALLOW, "block": ListName.BLOCK}


class Spoken(StrEnum):
    """The spoken answers to feature codes. Each value is an extension of the dialplan context [callsieve-say]."""

    SPAM = "spam"
    OK = "ok"
    RETRACTED = "retracted"
    REFUSED = "refused"
    NOBODY = "nobody"
    EXPECTING = "expecting"
    NOT_EXPECTING = "not-expecting"
    DO_NOT_CALL = "do-not-call"
    UNDONE = "undone"
    ALLOWED = "allowed"
    BLOCKED = "blocked"
    WHISPERS_OFF = "whispers-off"
    WHISPERS_ON = "whispers-on"
    QUIET_ON = "quiet-on"
    QUIET_OFF = "quiet-off"


SPOKEN_OF_LIST = {ListName.ALLOW: Spoken.ALLOWED, ListName.BLOCK: Spoken.BLOCKED}


class Switch(NamedTuple):
    """A phone setting, and the spoken answers when it is switched on and off."""

    setting: PhoneSetting
    on: Spoken
    off: Spoken


SWITCHES = {
    "whispers": Switch(PhoneSetting.NO_WHISPER, on=Spoken.WHISPERS_OFF, off=Spoken.WHISPERS_ON),
    "quiet": Switch(PhoneSetting.QUIET, on=Spoken.QUIET_ON, off=Spoken.QUIET_OFF),
}
CODES = frozenset({*VERDICTS, *LISTS, "expect", "dnc", *SWITCHES})
# "Do not call me again" is about a conversation that is just over.
LATELY_SECONDS = 1800.0
# Anybody at the phone can dial the code, and the outbound guard refuses calls to each number on the list.
REQUESTS_A_DAY = 50
LIST_ADD, LIST_REMOVE = LIST_CHANGES = ("list add", "list remove")
# How many changes of one number are searched for the person's own last one.
RECENT_CHANGES = 50


def apply_feature_code(db: sqlite3.Connection, endpoint: str, code: str, at: float) -> str:
    """Apply a feature code dialled on an endpoint, and return the spoken answer. Call it in a transaction."""
    reporter = reporter_of(db, endpoint)
    if code == "expect":
        return _expect(db, reporter, at)
    if code in SWITCHES:
        return _switch(db, reporter, SWITCHES[code], at)
    if code == "dnc":
        return _do_not_call(db, reporter, at)
    if code in LISTS:
        return _list_last_caller(db, reporter, LISTS[code], at)
    return word_of(_noted(db, mark_last_caller(db, reporter, VERDICTS[code], at), reporter, at))


def mark_call(db: sqlite3.Connection, endpoint: str, linkedid: str, at: float) -> MarkResult | None:
    """Mark a call's caller as spam after a key press during the call. Return None if the journal has no caller."""
    caller = next((record.caller for record in decisions(db, linkedid=linkedid, limit=1)), None)
    if caller is None:
        return None
    reporter = reporter_of(db, endpoint)
    statement = MarkStatement(
        number=caller,
        reporter=reporter,
        verdict=Verdict.SPAM,
        at=at,
        channel=MarkChannel.EXTENSION,
        linkedid=linkedid,
    )
    return _noted(db, mark(db, statement), reporter, at)


def reporter_of(db: sqlite3.Connection, endpoint: str) -> str:
    """Return who makes marks on an endpoint: its person's extension, or the endpoint itself if it belongs to nobody."""
    person = person_of_endpoint(db, endpoint)
    return person.extension if person is not None else endpoint


def word_of(result: MarkResult) -> str:
    """Return the spoken answer for the result of a mark."""
    if result.status is MarkStatus.MARKED and result.mark is not None:
        return Spoken.SPAM if result.mark.verdict is Verdict.SPAM else Spoken.OK
    if result.status is MarkStatus.REFUSED and result.number is not None:
        return Spoken.REFUSED
    return Spoken.RETRACTED if result.status is MarkStatus.RETRACTED else Spoken.NOBODY


def _noted(db: sqlite3.Connection, result: MarkResult, reporter: str, at: float) -> MarkResult:
    if result.mark is not None:
        what = "unmark" if result.status is MarkStatus.RETRACTED else "mark"
        change = Change(what, result.number, before=result.before, after=result.mark)
        add_audit(db, change, _who(reporter), at)
    return result


def _expect(db: sqlite3.Connection, reporter: str, at: float) -> str:
    known = lists.expected_call_of(db, reporter)
    if known is not None and known.until > at:
        lists.stop_expecting(db, reporter)
        add_audit(db, Change("not-expecting", name=reporter, before=known), _who(reporter), at)
        return Spoken.NOT_EXPECTING
    window = lists.ExpectedCall(reporter, at + lists.EXPECT_SECONDS)
    lists.expect_call(db, *window)
    add_audit(db, Change("expecting", name=reporter, after=window), _who(reporter), at)
    return Spoken.EXPECTING


def _do_not_call(db: sqlite3.Connection, reporter: str, at: float) -> str:
    last = do_not_call.last_talk_of(db, reporter, at - LATELY_SECONDS)
    if last is None:
        return Spoken.NOBODY
    known = do_not_call.do_not_call_of(db, last.number)
    if known is not None and known.person == reporter and 0 <= at - known.at <= UNDO_SECONDS:
        do_not_call.remove_do_not_call(db, last.number)
        add_audit(db, Change("own dnc remove", last.number, before=known), _who(reporter), at)
        return Spoken.UNDONE
    if known is None and do_not_call.count_requests_since(db, reporter, at - DAY_SECONDS) >= REQUESTS_A_DAY:
        return Spoken.REFUSED
    is_of_called = do_not_call.was_called(db, last.own_number, last.number, at)
    request = do_not_call.DoNotCallRequest(last.number, at, last.own_number, reporter, is_of_called=is_of_called)
    if do_not_call.add_do_not_call(db, request):
        add_audit(db, Change("own dnc add", last.number, after=request), _who(reporter), at)
    return Spoken.DO_NOT_CALL


def _switch(db: sqlite3.Connection, reporter: str, switch: Switch, at: float) -> str:
    before = lists.clear_phone_setting(db, reporter, switch.setting)
    after = None if before else lists.set_phone_setting(db, reporter, switch.setting, at)
    word = switch.off if before else switch.on
    add_audit(db, Change(word, name=reporter, before=before, after=after), _who(reporter), at)
    return word


def _list_last_caller(db: sqlite3.Connection, reporter: str, list_name: ListName, at: float) -> str:
    last = last_caller_of(db, reporter)
    if last is None or last.number is None:
        return Spoken.NOBODY
    number, who = last.number, _who(reporter)
    own = (row for row in audit_rows(db, number, RECENT_CHANGES) if row.who == who and row.what in LIST_CHANGES)
    change = next(own, None)
    if change is not None and _may_be_undone(change, list_name, at):
        return _undo_entry(db, reporter, change, at)
    before = next((entry for entry in lists.personal_entries(db, reporter) if entry.number == number), None)
    after = lists.PersonalEntry(reporter, number, list_name, at)
    lists.set_personal_entry(db, after)
    add_audit(db, Change(LIST_ADD, number, before=before, after=after), who, at)
    return SPOKEN_OF_LIST[list_name]


def _may_be_undone(change: AuditRow, list_name: ListName, at: float) -> bool:
    listed = _entry_of(change.after)
    return listed is not None and listed.verdict is list_name and 0 <= at - change.at <= UNDO_SECONDS


def _undo_entry(db: sqlite3.Connection, reporter: str, change: AuditRow, at: float) -> str:
    number, replaced = str(change.number), _entry_of(change.before)
    removed = lists.remove_personal_entry(db, reporter, number)
    after = None if replaced is None else replaced._replace(at=at)
    if after is not None:
        lists.set_personal_entry(db, after)
    change_back = Change(LIST_REMOVE, number, before=removed, after=after)
    add_audit(db, change_back, _who(reporter), at)
    return Spoken.UNDONE if after is None else SPOKEN_OF_LIST[after.verdict]


def _entry_of(text: str | None) -> lists.PersonalEntry | None:
    if text is None:
        return None
    kept: lists.PersonalEntry = parse_plain(msgspec.json.decode(text), lists.PersonalEntry)
    return kept


def _who(reporter: str) -> str:
    return f"phone {reporter}"


def make_passcode(db: sqlite3.Connection, endpoint: str, passcode: str, at: float) -> bool:
    """Add a passcode with which the endpoint's person opens their own page. Return False if nobody has the endpoint."""
    person = person_of_endpoint(db, endpoint)
    if person is None:
        return False
    add_passcode(db, person.extension, passcode, at)
    add_audit(db, Change("passcode", name=person.extension), _who(person.extension), at)
    return True


LAST_CALL_SECONDS = 86400.0
# Actions whose call rings the phone.
_SHOWN = ("tag", "warn")
_RULE_OF_TIE = {Tie.ALLOW: "callee-allowlist", Tie.CONTACT: "contact"}


@dataclass(frozen=True, slots=True)
class LastCall:
    """A person's last call. `decision`: None if it was not screened. `number`: None if the caller showed no number."""

    number: str | None
    decision: DecisionRecord | None


def last_call_of(db: sqlite3.Connection, endpoint: str, now: float) -> LastCall | None:
    """Return the latest call for the person of this endpoint, or None if there is no recent call."""
    person = reporter_of(db, endpoint)
    for_person = latest_for(db, person, now - LAST_CALL_SECONDS)
    reached = last_caller_of(db, person)
    if reached is None:
        return None if for_person is None else LastCall(for_person.caller, for_person)
    if for_person is not None and for_person.at > reached.at and for_person.linkedid != reached.linkedid:
        return LastCall(for_person.caller, for_person)
    decision = next(iter(decisions(db, linkedid=reached.linkedid, limit=1)), None)
    return LastCall(reached.number, decision and _as_it_was_here(db, decision, person))


def _as_it_was_here(db: sqlite3.Connection, decision: DecisionRecord, person: str) -> DecisionRecord:
    """Return the decision with the action on the person's own phone, where their own list and contacts apply."""
    if decision.action not in _SHOWN or decision.caller is None:
        return decision
    tie = lists.friendly_tie_of(db, person, decision.caller, decision.at)
    return decision if tie is None else decision._replace(action="allow", would_be="allow", rule=_RULE_OF_TIE[tie])
