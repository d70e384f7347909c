"""Outcomes: how calls ended, joined with the journal of decisions by linkedid, and the evidence that follows from them.

An outcome may arrive before the journal has stored the decision about the call. For example, a rejected call ends
before the journal's next write. So an outcome without a decision waits (`waits_since`) until `settle_outcomes`
completes it. Otherwise a rejected call could count as a call that nobody answered, and a withheld number could be
stored.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import astuple

from reputation.columns import column_list, fields_of
from reputation.events import CallEnded, EventKind, subject_of_call
from reputation.model import AuthClass, CallerKind, ChallengeResult, Direction, EndedBy, Level, Tie, Voice
from reputation.outcome import OutcomeRecord, Signal
from reputation.own.hours import AS_INSTALLED, CallingHours
from reputation.store.evidence import challenge_result_of, learn
from reputation.store.outbox import add_event, wanted_of
from reputation.store.own_days import count_call
from reputation.store.standing import refresh_all
from reputation.store.tables.table import DAY, EVIDENCE_DAYS, OUTCOME_DAYS

# The journal writes within 0.2 s, and tries again within 10 s when the store was locked.
SETTLE_SECONDS = 60.0
LIVE = "ami"  # the `source` of outcomes seen live

_FIELDS = OutcomeRecord.__struct_fields__
_COLUMNS = column_list(OutcomeRecord)
_ENUMS = {field.name: field.enum for field in fields_of(OutcomeRecord) if field.enum}
_FLAGS = frozenset(field.name for field in fields_of(OutcomeRecord) if bool in field.kinds)
_ENUM_PLACES = tuple(place for place, name in enumerate(_FIELDS) if name in _ENUMS)
_FLAG_PLACES = tuple(place for place, name in enumerate(_FIELDS) if name in _FLAGS)
_RUNG_PLACE = _FIELDS.index("rung")

RECORD = (
    f"INSERT INTO outcome ({_COLUMNS}, waits_since) VALUES ({', '.join('?' * len(_FIELDS))}, ?) ON CONFLICT DO NOTHING"
)
SETTLE = """
UPDATE outcome
   SET waits_since = NULL, auth_class = ?, decision_id = ?, action = ?, challenge = ?, caller = ?, caller_kind = ?,
       rang_by = ?, trap = ?, verified = ?, voice = ?
 WHERE linkedid = ?
"""
WAITING = f"""
SELECT {_COLUMNS} FROM outcome
 WHERE waits_since IS NOT NULL
   AND (waits_since <= ? OR EXISTS (SELECT 1 FROM decision WHERE linkedid = outcome.linkedid))
 ORDER BY waits_since LIMIT ?
"""
LATE_VOICE = """
UPDATE outcome SET voice = ? WHERE linkedid = ? AND ifnull(voice, 'unclear') = 'unclear' AND decision_id IS NOT NULL
"""
IS_KNOWN = "SELECT 1 FROM outcome WHERE linkedid = ?"
REACHED = "INSERT INTO reached (person, at, linkedid, number) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
# A message left without a phone ringing has reached the callee.
LEFT_A_MESSAGE = """
INSERT INTO reached (person, at, linkedid, number)
SELECT callee, ?, linkedid, ? FROM decision WHERE linkedid = ? AND callee IS NOT NULL
ON CONFLICT DO NOTHING
"""
PERSON_OF_PHONE = "SELECT extension, grp FROM person WHERE endpoint = ? ORDER BY extension LIMIT 1"
# The last columns: whether it was to a trap, and whether it had a verified attestation A (reputation/families/
# attestation.py). Whether the callee's own entry let the call through (policies/engine.py: CAPS). The voice.
DECISIONS = """
SELECT id, action, auth_class, caller_kind, (SELECT trap FROM did WHERE number = decision.did),
       vector LIKE '%"counts": {"A": 1}%', reason LIKE '%"cap": "not-spam-for-callee"}',
       (SELECT voice FROM transcript WHERE decision_id = decision.id)
  FROM decision WHERE linkedid = ? ORDER BY at, id
"""
UNNAME = "UPDATE reached SET number = NULL WHERE linkedid = ?"
# The tie of the witness to the number when the call came; '' is everybody. Talks are checked when the evidence is
# added up, because calls may come in any order (evidence_rows.py).
TIE = """
SELECT 'allow' FROM personal_entry WHERE number = :number AND person = :witness AND verdict = 'allow' AND at <= :at
UNION ALL
SELECT 'expected' FROM expected_call WHERE person = :witness AND until > :at
UNION ALL
SELECT 'contact' FROM contact WHERE number = :number AND person IN (:witness, '')
 LIMIT 1
"""

BY_LINKEDID = f"SELECT {_COLUMNS} FROM outcome WHERE linkedid = ?"
_WITHIN = "at >= :since AND at < :until ORDER BY at DESC LIMIT :limit"
BY_TIME = f"SELECT {_COLUMNS} FROM outcome WHERE {_WITHIN}"
OF_SPAN = f"SELECT {_COLUMNS} FROM outcome WHERE at >= ? AND at < ? ORDER BY at, linkedid"
BY_NUMBER = f"""
SELECT * FROM (SELECT {_COLUMNS} FROM outcome WHERE caller = :number
               UNION
               SELECT {_COLUMNS} FROM outcome WHERE dialled = :number)
 WHERE {_WITHIN}
"""

BY_OWN = f"""
SELECT * FROM (SELECT {_COLUMNS} FROM outcome WHERE own_number = :number AND direction = 'outbound'
               UNION ALL
               SELECT {_COLUMNS} FROM outcome WHERE did = :number AND direction = 'inbound')
 WHERE at >= :since ORDER BY at DESC LIMIT :limit
"""

OUT_WITH = f"""
SELECT {_COLUMNS} FROM outcome
 WHERE own_number = ? AND direction = 'outbound' AND at >= ? AND at < ? ORDER BY at, linkedid
"""

# Actions from the weakest: the words of Level, and allow.
_STRENGTH = {"allow": 0} | {level.word: int(level) for level in Level}


class Recorded(NamedTuple):
    """The result of recording an outcome. `new`: whether it was not stored before. `signal`: the evidence from it."""

    new: bool
    signal: Signal | None = None


def record_outcome(
    db: sqlite3.Connection, outcome: OutcomeRecord, now: float, hours: CallingHours = AS_INSTALLED
) -> Recorded:
    """Record how a call ended, and the evidence from it, unless its linkedid is stored. Call it in a transaction.

    If the call is older than outcomes are kept, only the evidence is stored. `hours`: when people may be called.
    """
    (recorded,) = _recorded(db, [outcome], now, hours)
    return recorded


def record_outcomes(
    db: sqlite3.Connection, outcomes: Iterable[OutcomeRecord], now: float, hours: CallingHours = AS_INSTALLED
) -> list[Recorded]:
    """Record several outcomes (see `record_outcome`), and run `settle_outcomes`. Call it in a transaction."""
    recorded = _recorded(db, outcomes, now, hours)
    settle_outcomes(db, now)
    return recorded


def settle_outcomes(db: sqlite3.Connection, now: float, limit: int = 1000) -> list[Signal]:
    """Complete outcomes whose decision has come or whose time is up. Return their signals. Call it every minute."""
    rows = db.execute(WAITING, (now - SETTLE_SECONDS, limit)).fetchall()
    if not rows:
        return []
    touched, signals, is_wanted = set(), [], _is_wanted(db)
    for outcome in (_joined(db, _outcome(row)) for row in rows):
        challenge = outcome.challenge and outcome.challenge.value
        joined = (outcome.auth_class.value, outcome.decision_id, outcome.action, challenge)
        who = (outcome.caller, outcome.caller_kind.value, outcome.rang_by and outcome.rang_by.value)
        voice = outcome.voice and outcome.voice.value
        db.execute(SETTLE, (*joined, *who, outcome.trap, outcome.verified, voice, outcome.linkedid))
        if outcome.caller is None:
            db.execute(UNNAME, (outcome.linkedid,))
        _note_message(db, outcome)
        if is_wanted:
            _emit_event(db, outcome)
        signals.append(learn(db, outcome))
        touched.add(outcome.number)
    refresh_all(db, (number for number in touched if number))
    return [signal for signal in signals if signal]


def record_late_voice(db: sqlite3.Connection, linkedid: str, voice: Voice) -> None:
    """Record whether a person or a recording was heard in a call whose outcome is already complete."""
    if not db.execute(LATE_VOICE, (voice.value, linkedid)).rowcount:
        return
    outcome = outcome_of(db, linkedid)
    if outcome is not None and outcome.number is not None:
        learn(db, outcome)
        refresh_all(db, (outcome.number,))


def outcome_of(db: sqlite3.Connection, linkedid: str) -> OutcomeRecord | None:
    """Return the outcome of the call with this linkedid, or None."""
    return next((_outcome(row) for row in db.execute(BY_LINKEDID, (linkedid,))), None)


def outcomes(
    db: sqlite3.Connection,
    *,
    number: str | None = None,
    since: float = -math.inf,
    until: float = math.inf,
    limit: int = 100,
) -> list[OutcomeRecord]:
    """Return outcomes between `since` and `until` (exclusive), newest first. `number`: only calls from or to it."""
    about = {"number": number, "since": since, "until": until, "limit": limit}
    return [_outcome(row) for row in db.execute(BY_TIME if number is None else BY_NUMBER, about)]


def outcomes_between(db: sqlite3.Connection, since: float, until: float) -> Iterator[OutcomeRecord]:
    """Yield outcomes of calls that began between `since` and `until` (exclusive), in time order."""
    return map(_outcome, db.execute(OF_SPAN, (since, until)))


def outcomes_of_own(db: sqlite3.Connection, number: str, since: float, limit: int) -> list[OutcomeRecord]:
    """Return outcomes since `since`, of outgoing calls that showed this own number and of calls to it, newest first."""
    return [_outcome(row) for row in db.execute(BY_OWN, {"number": number, "since": since, "limit": limit})]


def calls_out_with(db: sqlite3.Connection, number: str, since: float, until: float) -> Iterator[OutcomeRecord]:
    """Yield the outcomes of outgoing calls that showed this own number, oldest first. `until` is exclusive."""
    return map(_outcome, db.execute(OUT_WITH, (number, since, until)))


def _recorded(
    db: sqlite3.Connection, outcomes: Iterable[OutcomeRecord], now: float, hours: CallingHours
) -> list[Recorded]:
    touched: set[str | None] = set()
    is_wanted = _is_wanted(db)
    recorded = [_record(db, outcome, now, hours, touched, is_wanted=is_wanted) for outcome in outcomes]
    refresh_all(db, (number for number in touched if number))
    return recorded


def _record(
    db: sqlite3.Connection,
    outcome: OutcomeRecord,
    now: float,
    hours: CallingHours,
    touched: set[str | None],
    *,
    is_wanted: bool,
) -> Recorded:
    if db.execute(IS_KNOWN, (outcome.linkedid,)).fetchone():
        return Recorded(new=False)
    outcome = _tied(db, _joined(db, _with_people(db, outcome)))
    waits = _may_be_screened(outcome, now) and outcome.decision_id is None
    if outcome.at >= now - OUTCOME_DAYS * DAY:
        db.execute(RECORD, (*_row(outcome), now if waits else None))
        if not outcome.trap:
            db.executemany(REACHED, _reached(outcome))
            _note_message(db, outcome)
            count_call(db, outcome, hours)
    if waits or outcome.at < now - EVIDENCE_DAYS * DAY:
        return Recorded(new=True)
    if is_wanted:
        _emit_event(db, outcome)
    touched.add(outcome.number)
    return Recorded(new=True, signal=learn(db, outcome))


def _with_people(db: sqlite3.Connection, outcome: OutcomeRecord) -> OutcomeRecord:
    """Return the outcome with people in place of their phones. If the group is unknown, add that of who answered."""
    people: dict[str, tuple[str, str | None]] = {}
    for endpoint in {outcome.answered_by, outcome.caller, *outcome.rung}:
        if endpoint is not None and "/" in endpoint:
            row = db.execute(PERSON_OF_PHONE, (endpoint,)).fetchone()
            people[endpoint] = row or (endpoint, None)
    if not people:
        return outcome

    def who(text: str | None) -> str | None:
        return people.get(text, (text, None))[0] if text else text

    return outcome._replace(
        answered_by=who(outcome.answered_by),
        caller=who(outcome.caller),
        rung=tuple(dict.fromkeys(people.get(phone, (phone, None))[0] for phone in outcome.rung)),
        group=outcome.group or people.get(outcome.answered_by or "", (None, None))[1],
    )


def _joined(db: sqlite3.Connection, outcome: OutcomeRecord) -> OutcomeRecord:
    """Return the outcome with data from the journal: auth class, first decision, strongest action and others."""
    decided = db.execute(DECISIONS, (outcome.linkedid,)).fetchall()
    if not decided or outcome.direction is not Direction.INBOUND:
        return outcome
    decision_id, _, auth_class, caller_kind, trap, verified, _, _ = decided[0]
    action = max((row[1] for row in decided), key=lambda word: _STRENGTH.get(word, 0))
    outcome = outcome._replace(decision_id=decision_id, action=action, auth_class=AuthClass(auth_class))
    if caller_kind == CallerKind.WITHHELD:  # AMI shows the number anyway, but it must not be stored
        outcome = outcome._replace(caller=None, caller_kind=CallerKind.WITHHELD)
    if trap:
        return outcome._replace(trap=True, verified=bool(verified))
    if (voice := next(filter(None, (row[7] for row in decided)), None)) is not None:
        outcome = outcome._replace(voice=Voice(voice))
    if any(row[6] for row in decided):
        outcome = outcome._replace(rang_by=Tie.NOT_SPAM)
    if action == "challenge" and outcome.challenge is None:
        result = challenge_result_of(db, outcome.linkedid)
        if result is None and _gave_up(outcome):
            result = ChallengeResult.ABANDONED
        return outcome._replace(challenge=result)
    return outcome


def _gave_up(outcome: OutcomeRecord) -> bool:
    return (
        outcome.ended_by is EndedBy.CALLER
        and not outcome.rung
        and outcome.answered_by is None
        and not outcome.voicemail_left
    )


def _tied(db: sqlite3.Connection, outcome: OutcomeRecord) -> OutcomeRecord:
    if outcome.direction is not Direction.INBOUND or outcome.number is None or outcome.rang_by is not None:
        return outcome
    about = {"number": outcome.number, "witness": outcome.witness, "at": outcome.at}
    tie = db.execute(TIE, about).fetchone()
    return outcome._replace(rang_by=Tie(tie[0])) if tie else outcome


def _may_be_screened(outcome: OutcomeRecord, now: float) -> bool:
    """Return whether a decision about the call may still reach the journal. It may not for an old call from a CDR."""
    is_new = outcome.source == LIVE or outcome.ended_at > now - SETTLE_SECONDS
    return is_new and outcome.direction is Direction.INBOUND and outcome.number is not None


def _reached(outcome: OutcomeRecord) -> list[tuple[object, ...]]:
    if outcome.direction is not Direction.INBOUND:
        return []
    people = [outcome.answered_by] if outcome.answered_by else outcome.rung
    return [(person, outcome.at, outcome.linkedid, outcome.number) for person in people]


def _note_message(db: sqlite3.Connection, outcome: OutcomeRecord) -> None:
    if outcome.voicemail_left and not (outcome.rung or outcome.answered_by):
        db.execute(LEFT_A_MESSAGE, (outcome.at, outcome.number, outcome.linkedid))


def _is_wanted(db: sqlite3.Connection) -> bool:
    return bool(wanted_of(db, EventKind.CALL_ENDED))


def _emit_event(db: sqlite3.Connection, outcome: OutcomeRecord) -> None:
    """Emit the event that a live call has ended. `outcome`: from `_joined`, which removes withheld numbers."""
    if outcome.source != LIVE or outcome.direction is Direction.INTERNAL:
        return
    data = CallEnded(
        linkedid=outcome.linkedid,
        direction=outcome.direction.value,
        disposition=outcome.disposition.value,
        caller=outcome.caller,
        caller_kind=outcome.caller_kind.value,
        did=outcome.did,
        dialled=outcome.dialled,
        own_number=outcome.own_number,
        trunk=outcome.trunk,
        answered_by=outcome.answered_by,
        rung=outcome.rung,
        started_at=outcome.at,
        ring_seconds=outcome.ring_seconds,
        talk_seconds=outcome.talk_seconds,
        ended_by=outcome.ended_by and outcome.ended_by.value,
        voicemail_left=outcome.voicemail_left,
        challenge=outcome.challenge and outcome.challenge.value,
        complete=outcome.complete,
        decision_id=outcome.decision_id,
        action=outcome.action,
    )
    add_event(db, EventKind.CALL_ENDED, subject_of_call(outcome.number, outcome.linkedid), outcome.ended_at, data)


def _row(outcome: OutcomeRecord) -> tuple[object, ...]:
    row: list[Any] = list(astuple(outcome))
    for place in _ENUM_PLACES:
        if row[place] is not None:
            row[place] = row[place].value
    for place in _FLAG_PLACES:
        row[place] = int(row[place])
    row[_RUNG_PLACE] = json.dumps(row[_RUNG_PLACE])
    return tuple(row)


def _outcome(row: tuple[Any, ...]) -> OutcomeRecord:
    values = dict(zip(_FIELDS, row, strict=True))
    for name, enum in _ENUMS.items():
        if values[name] is not None:
            values[name] = enum(values[name])
    for name in _FLAGS:
        values[name] = bool(values[name])
    values["rung"] = tuple(json.loads(values["rung"]))
    return OutcomeRecord(**values)
