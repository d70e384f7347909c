"""Search for calls and how they ended, newest first, and count how many calls to each DID were screened.

A page of results begins after the last call of the page before (its cursor). No rows are counted, so page 1000 costs
as much as page 1. The SQL is built only from the clauses below, and all search terms are parameters.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reputation.model import ChallengeResult, Disposition
from reputation.outcome import OutcomeRecord
from reputation.site_names import has_mark, site_and_mark, site_of
from reputation.store.evidence import challenge_result_of
from reputation.store.outcomes import outcome_of

COMMON_ACTION = "allow"
COMMON_RULE = "default"
VOICEMAIL = "voicemail"
# The values of `CallFilter.ending`.
ENDINGS = (*(disposition.value for disposition in Disposition), VOICEMAIL)


class CallFilter(NamedTuple):
    """A search for calls. A field that is None matches all calls. Instants are UTC seconds.

    Attributes:
        callee: The extension of a person. Finds calls that were for this person, rang their phone, or were stopped for
            their group before any phone rang.
        action: The action taken or, in observe mode, the action that would have been taken.
        ending: How the call ended, one of ENDINGS.
        site: The other site that received the call.
        linkedids: A JSON array. The call must have one of these linkedids.
        actions: A JSON array. The call must have one of these actions.
        numbers: A JSON array. The caller must be one of these numbers.
    """

    number: str | None = None
    callee: str | None = None
    did: str | None = None
    action: str | None = None
    rule: str | None = None
    since: float | None = None
    until: float | None = None
    ending: str | None = None
    site: str | None = None
    linkedids: str | None = None
    actions: str | None = None
    numbers: str | None = None


class CallCursor(NamedTuple):
    """The position of a call in a list of calls. The next page begins after this call."""

    at: float
    id: str


class Ending(NamedTuple):
    """How a call ended. `outcome`: None until the end is known. `challenge`: None without the result of a challenge."""

    outcome: OutcomeRecord | None = None
    challenge: ChallengeResult | None = None


def ending_of(db: sqlite3.Connection, linkedid: str) -> Ending:
    """Return how the call with this linkedid ended. During the call, only the result of a challenge can be known."""
    if not linkedid:
        return Ending()
    outcome = outcome_of(db, linkedid)
    result = outcome.challenge if outcome is not None else None
    return Ending(outcome, result or challenge_result_of(db, linkedid))


class CallRow(NamedTuple):
    """A decision about a call, and how the call ended. `disposition` is None until the end of the call is known.

    `words`: what the caller said when asked for a name; empty if it was not understood, None if nothing was recorded.
    """

    id: str
    at: float
    linkedid: str
    caller: str | None
    caller_kind: str
    did: str | None
    callee: str | None
    action: str
    would_be: str
    rule: str
    reason: str
    level: str
    log_odds: float
    disposition: str | None
    answered_by: str | None
    ring_seconds: float | None
    talk_seconds: float | None
    ended_by: str | None
    voicemail_left: int | None
    caller_text: str = ""
    challenge: str | None = None
    words: str | None = None

    @property
    def observed(self) -> bool:
        """Whether the policy only observes, so that the action `would_be` was not taken."""
        return self.action != self.would_be

    @property
    def site(self) -> str:
        """The other site that received the call; empty for this site."""
        return site_of(self.linkedid)

    @property
    def place(self) -> CallCursor:
        """The position of the call in a list of calls, from which the next page begins."""
        return CallCursor(self.at, self.id)


_SELECT = """
SELECT d.id, d.at, d.linkedid, d.caller, d.caller_kind, d.did, d.callee, d.action, d.would_be, d.rule, d.reason,
       d.level, d.log_odds, o.disposition, o.answered_by, o.ring_seconds, o.talk_seconds, o.ended_by, o.voicemail_left,
       d.caller_text, o.challenge, (SELECT text FROM transcript AS t WHERE t.decision_id = d.id)
  FROM decision AS d LEFT JOIN outcome AS o ON o.linkedid = d.linkedid
"""
_COUNT = """
SELECT count(*) FROM decision
 WHERE would_be IN (SELECT value FROM json_each(:actions)) AND would_be <> 'allow' AND at >= :since
"""
# `+`: by the index of the callers, which reads fewer rows than the index of the actions.
_COUNT_OF_NUMBERS = """
SELECT count(*) FROM decision
 WHERE caller IN (SELECT value FROM json_each(:numbers)) AND at >= :since
   AND +would_be IN (SELECT value FROM json_each(:actions)) AND +would_be <> 'allow'
"""
_ORDER = " ORDER BY d.at DESC, d.id DESC LIMIT :limit"
_SITE = site_and_mark("d.linkedid")  # as in its index


def _was_stopped_for_group_of(person: str) -> str:
    """Return an SQL condition: a call to the group of `person` (an SQL parameter) was stopped before a phone rang."""
    return f"""(d.callee IS NULL AND d.action IN ('reject', 'challenge', 'route')
        AND +d.did IN (SELECT number FROM did JOIN person ON instr(',' || did.grp || ',', ',' || person.grp || ',')
                       WHERE extension = {person})
        AND (d.action = 'reject' OR EXISTS (
            SELECT 1 FROM outcome WHERE linkedid = d.linkedid AND answered_by IS NULL AND rung = '[]')))"""


_CLAUSES: Mapping[str, str] = {
    "number": "d.caller = :number",
    "did": "d.did = :did",
    "action": "d.would_be = :action",
    "actions": "+d.would_be IN (SELECT value FROM json_each(:actions))",  # walked by time, and not sorted
    "numbers": "d.caller IN (SELECT value FROM json_each(:numbers))",
    "rule": "d.rule = :rule",
    "since": "d.at >= :since",
    "until": "d.at < :until",
    "ending": "o.disposition = :ending",
    "site": f"{has_mark('d.linkedid')} AND {_SITE} = :site || ':'",
    "linkedids": "d.linkedid IN (SELECT value FROM json_each(:linkedids))",
}
# A busy group has more stopped calls than one search may read: its branch has all conditions, and ends at the limit.
_FOR_PERSON = f"""d.rowid IN (
        SELECT rowid FROM decision WHERE callee = :callee
        UNION SELECT s.rowid FROM reached AS r JOIN decision AS s USING (linkedid) WHERE r.person = :callee
        UNION SELECT * FROM (SELECT d.rowid FROM decision AS d LEFT JOIN outcome AS o ON o.linkedid = d.linkedid
            WHERE {{conditions}} AND {_was_stopped_for_group_of(":callee")} {_ORDER}))"""
# SQLite uses a partial index only if the query has the clause of the index.
_UNCOMMON_ACTION = "d.would_be <> 'allow'"
_UNCOMMON_RULE = "d.rule <> 'default'"
_EVER = "d.at >= 0"  # with it SQLite 3.53 uses an index; without, it reads and sorts all rows of a common rule
_UNCOMMON_ENDING = """d.linkedid IN (SELECT linkedid FROM outcome
        WHERE disposition = :ending AND disposition NOT IN ('answered', 'no-answer'))"""
_VOICEMAIL = "d.linkedid IN (SELECT linkedid FROM outcome WHERE voicemail_left = 1)"
_COMMON_ENDINGS = frozenset({Disposition.ANSWERED.value, Disposition.NO_ANSWER.value})
_AFTER = "(d.at, d.id) < (:after_at, :after_id)"


def find_calls(db: sqlite3.Connection, wanted: CallFilter, after: CallCursor | None, limit: int) -> list[CallRow]:
    """Return at most `limit` calls that match, newest first. `after`: the cursor after which the page begins."""
    sql, parameters = statement(wanted, after, limit)
    return [CallRow(*row) for row in db.execute(sql, parameters)]


def calls_of_ids(db: sqlite3.Connection, ids: Sequence[str]) -> list[CallRow]:
    """Return the calls whose decisions have these ids, newest first."""
    sql = f"{_SELECT} WHERE d.id IN (SELECT value FROM json_each(:ids)) {_ORDER}"
    return [CallRow(*row) for row in db.execute(sql, {"ids": json.dumps(list(ids)), "limit": len(ids)})]


def count_calls(db: sqlite3.Connection, actions: Sequence[str], since: float, numbers: Sequence[str] | None) -> int:
    """Count calls since `since` with one of these actions, except `allow`. `numbers`: only these callers; None: all."""
    about = {"actions": json.dumps(actions), "since": since, "numbers": json.dumps(numbers)}
    (count,) = db.execute(_COUNT if numbers is None else _COUNT_OF_NUMBERS, about).fetchone()
    return int(count)


def statement(wanted: CallFilter, after: CallCursor | None, limit: int) -> tuple[str, dict[str, object]]:
    """Return the SQL of a search for calls, and the values of its parameters."""
    asked = {name: value for name, value in wanted._asdict().items() if value is not None}
    clauses = [_CLAUSES[name] for name in asked if name in _CLAUSES and name != "ending"] + _ending_clauses(
        wanted.ending
    )
    if wanted.number is None:  # otherwise the number's own index is better
        if asked.get("action", COMMON_ACTION) != COMMON_ACTION:
            clauses.append(_UNCOMMON_ACTION)
        if asked.get("rule", COMMON_RULE) != COMMON_RULE:
            clauses.append(_UNCOMMON_RULE)
        elif wanted.rule is not None:
            clauses.append(_EVER)
    parameters: dict[str, object] = {**asked, "limit": limit}
    if after is not None:
        clauses.append(_AFTER)
        parameters |= {"after_at": after.at, "after_id": after.id}
    if wanted.callee is not None:
        clauses.append(_FOR_PERSON.format(conditions=" AND ".join(clauses or [_EVER])))
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    return _SELECT + where + _ORDER, parameters


def _ending_clauses(ending: str | None) -> list[str]:
    if ending is None:
        return []
    if ending == VOICEMAIL:
        return [_VOICEMAIL]
    return [_CLAUSES["ending"]] if ending in _COMMON_ENDINGS else [_UNCOMMON_ENDING]


SITES = f"""
SELECT {_SITE} FROM decision AS d WHERE {has_mark("d.linkedid")} AND {_SITE} > ? ORDER BY {_SITE} LIMIT 1
"""
RULES = "SELECT rule FROM decision WHERE rule <> 'default' AND rule > ? ORDER BY rule LIMIT 1"
MOST_RULES = 100
MOST_SITES = 1000


def rules_seen(db: sqlite3.Connection) -> list[str]:
    """Return the names of rules that have decided a call, at most MOST_RULES and the default. Only an index is read."""
    rules: list[str] = []
    last = ""
    while len(rules) < MOST_RULES:
        row = db.execute(RULES, (last,)).fetchone()
        if row is None:
            break
        last = row[0]
        rules.append(last)
    return sorted([*rules, COMMON_RULE])


def sites_seen(db: sqlite3.Connection) -> list[str]:
    """Return the other sites whose calls are stored here, on a central console. Only an index is read."""
    sites: list[str] = []
    last = ""
    while len(sites) < MOST_SITES and (row := db.execute(SITES, (last,)).fetchone()) is not None:
        last = row[0]
        sites += [site_of(last)] if site_of(last) else []
    return sites


# Reading a call takes about 2 us, whether it is counted or not. This is the limit where a week has millions of calls.
MOST_CALLS = 100_000

_LATEST = "SELECT * FROM outcome WHERE at >= :since AND at < :until ORDER BY at DESC LIMIT :limit"
# Left out: calls whose decision may still be on its way (`waits_since`), that were not seen whole, or that began before
# the first decision. Also calls to numbers that are not screened, or that do not exist (Q.850 cause 1): the front
# context refuses such a call before it asks.
BY_NUMBER = f"""
WITH inbound AS (
    SELECT at, did,
           decision_id IS NULL AND NOT EXISTS (SELECT 1 FROM decision WHERE linkedid = latest.linkedid) AS missed
      FROM ({_LATEST}) AS latest
     WHERE direction = 'inbound' AND source = 'ami' AND complete = 1 AND waits_since IS NULL
       AND at >= coalesce((SELECT min(at) FROM decision), :since)
       AND NOT (disposition = 'failed' AND cause = 1)
       AND NOT EXISTS (SELECT 1 FROM did WHERE number = latest.did AND (screen = 0 OR trap = 1)))
SELECT did, count(*), sum(missed), max(at), max(CASE WHEN missed THEN at END)
  FROM inbound GROUP BY did ORDER BY sum(missed) DESC, did
"""
DIALLED = f"""
SELECT DISTINCT did FROM ({_LATEST}) WHERE direction = 'inbound' AND source = 'ami' AND did IS NOT NULL ORDER BY did
"""
# A withheld number cannot be read.
READ = """
SELECT count(*), coalesce(sum(caller_kind = 'invalid'), 0)
  FROM (SELECT caller_kind FROM decision WHERE at >= :since AND caller_kind IN ('number', 'service', 'invalid')
         ORDER BY at DESC LIMIT :limit)
"""
# Left out: forwarded calls, because the target of the forwarding rang too.
RANG = f"""
WITH alike AS (
    SELECT did, rung, count(*) AS calls FROM ({_LATEST})
     WHERE direction = 'inbound' AND source = 'ami' AND complete = 1 AND transferred = 0 AND did IS NOT NULL
       AND rung <> '[]'
     GROUP BY did, rung)
SELECT did, value, sum(calls), (SELECT sum(calls) FROM alike AS every WHERE every.did = alike.did)
  FROM alike, json_each(rung)
 GROUP BY did, value ORDER BY did, sum(calls) DESC, value
"""
FIRST = "SELECT min(at), count(*) FROM (SELECT at FROM decision ORDER BY at LIMIT :limit)"


class Screened(NamedTuple):
    """How many calls from outside came to a DID. `did` is None for calls whose DID is unknown.

    `missed`: how many of the calls were not screened. `missed_at`: when the last of these began; None without any.
    """

    did: str | None
    calls: int
    missed: int
    last_at: float
    missed_at: float | None

    @property
    def is_missed_now(self) -> bool:
        """Whether the latest call to the DID was not screened."""
        return self.missed_at == self.last_at


class Rang(NamedTuple):
    """How often calls to a DID rang one phone. `who`: the person or endpoint of the phone. `times`: calls that rang it.

    `calls`: calls to the DID that rang any phone.
    """

    did: str
    who: str
    times: int
    calls: int


def rang_by_number(db: sqlite3.Connection, since: float, until: float) -> list[Rang]:
    """Return how many calls to each DID rang each phone. Only the latest MOST_CALLS incoming calls are counted."""
    return [Rang(*row) for row in db.execute(RANG, _span(since, until))]


def screened_by_number(db: sqlite3.Connection, since: float, until: float) -> list[Screened]:
    """Count all calls and the unscreened calls of each DID. The DID with the most unscreened calls comes first.

    Only the latest MOST_CALLS incoming calls are counted.
    """
    return [Screened(*row) for row in db.execute(BY_NUMBER, _span(since, until))]


def dialled_numbers(db: sqlite3.Connection, since: float, until: float) -> list[str]:
    """Return the DIDs that were called from outside between `since` and `until`. The calls need not be screened."""
    return [did for (did,) in db.execute(DIALLED, _span(since, until))]


def unreadable_callers(db: sqlite3.Connection, since: float, most: int) -> tuple[int, int]:
    """Return how many calls since `since` showed a caller ID, and how many of these IDs could not be read as a number.

    Only the latest `most` of these calls are counted.
    """
    shown, unreadable = db.execute(READ, {"since": since, "limit": most}).fetchone()
    return shown, unreadable


def first_decision(db: sqlite3.Connection, most: int) -> tuple[float | None, int]:
    """Return when the first stored decision was made, or None, and count the stored decisions, up to `most`."""
    first, count = db.execute(FIRST, {"limit": most}).fetchone()
    return first, count


def _span(since: float, until: float) -> dict[str, float]:
    return {"since": since, "until": until, "limit": MOST_CALLS}


IS_CALL_FOR = f"""
SELECT EXISTS (
    SELECT 1 FROM decision AS d WHERE d.id = :id AND (d.callee = :person OR d.linkedid <> '' AND EXISTS (
        SELECT 1 FROM reached AS r WHERE r.linkedid = d.linkedid AND r.person = :person)
        OR {_was_stopped_for_group_of(":person")}))
"""


def is_call_for(db: sqlite3.Connection, decision_id: str, person: str) -> bool:
    """Return whether the call of this decision would be found with this person as `CallFilter.callee`."""
    return bool(db.execute(IS_CALL_FOR, {"id": decision_id, "person": person}).fetchone()[0])
