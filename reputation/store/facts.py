"""The facts query: a single statement that reads everything the store knows about a call.

Each branch of the UNION ALL is a look-up in an index, so the cost does not depend on the size of the store. The rows
about the caller's block of 1000 numbers are limited, so a few bad numbers may be missed. A person has a tie with a
number for 180 days after calling it and talking, unless a one-ring call from the number provoked this call.
"""

import json
import sqlite3
from dataclasses import astuple
from functools import lru_cache
from typing import Any

import msgspec

from reputation.caller_names import company_key
from reputation.evidence import NO_EVIDENCE, Circumstances, Evidence
from reputation.explaining import with_changes
from reputation.facts import CallContext, Facts, FactsQuery, facts_from
from reputation.families.block import is_bad
from reputation.model import (
    NEVER_CHALLENGED,
    AuthClass,
    ChallengeHistory,
    ControlSample,
    EntryKind,
    Identity,
    Imported,
    Level,
    ListEntry,
    ListName,
    PeerWord,
    Person,
    PersonalTie,
    PhoneSetting,
    SignalCategory,
    Tie,
    Voice,
)
from reputation.signals import DIALLED_SECONDS, ONE_RING_GUARD_SECONDS, RELATIONSHIP_SECONDS, VOICE_SECONDS
from reputation.site_names import site_of
from reputation.standing import Standing
from reputation.store.evidence_rows import EXPIRES_AT
from reputation.store.lists import entry_of_row
from reputation.store.peers import OF_PEERS, PUBLISHED
from reputation.store.site import CLOSED_AT, OPENED_AT, did_from_row
from reputation.weights import DAY_SECONDS, DEFAULT, Weights

# In the order that `standing_from` expects.
COLUMNS = """grps, at, marks, answers, counts, reporters, answered, silent, signals, burst_at, against, traps,
    challenges"""
OF = f"SELECT {COLUMNS} FROM standing WHERE number = ? AND auth_class = ?"


def standing(db: sqlite3.Connection, number: str, auth_class: AuthClass) -> Standing | None:
    """Return the number's stored standing (its summed evidence) for calls of an auth class; None without evidence."""
    row = db.execute(OF, (number, auth_class.value)).fetchone()
    return standing_from(row) if row else None


def standing_from(row: tuple[Any, ...]) -> Standing:
    """Return the standing in a row with the columns COLUMNS."""
    groups, at, marks, answers, counts, reporters, answered, silent, signals, burst_at, *texts = row
    against, traps, challenges = texts
    return Standing._make(  # positional, because keywords take twice as long
        (
            at,
            marks,
            answers,
            *(_NO_COUNTS if not counts else _times(counts)),
            reporters,
            groups,
            answered,
            silent,
            _signals(signals),
            burst_at,
            *(_NEVER if not against else _both(against)),
            *(_NEVER if not traps else _both(traps)),
            _challenges(challenges) if challenges else NEVER_CHALLENGED,
        )
    )


_NO_COUNTS = (0.0,) * 6
_NEVER: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())


def standing_columns(standing: Standing) -> tuple[object, ...]:
    """Return the values with which a standing is stored, in the order of COLUMNS."""
    signals = json.dumps({category.value: count for category, count in standing.signals})
    sums = standing[3:9]
    against, traps = (standing.witnessed, standing.adverse), (standing.traps, standing.verified_traps)
    return (
        standing.groups,
        standing.at,
        standing.marks,
        standing.answers,
        json.dumps(sums) if any(sums) else "",
        standing.reporters,
        standing.answered,
        standing.silent,
        signals,
        standing.burst_at,
        json.dumps(against) if any(against) else "",
        json.dumps(traps) if any(traps) else "",
        "" if standing.challenges == NEVER_CHALLENGED else json.dumps(astuple(standing.challenges)),
    )


@lru_cache(maxsize=4096)
def _signals(text: str) -> tuple[tuple[SignalCategory, int], ...]:
    return tuple((SignalCategory(name), count) for name, count in json.loads(text).items())


_both = msgspec.json.Decoder(tuple[tuple[float, ...], tuple[float, ...]]).decode
_times = msgspec.json.Decoder(tuple[float, ...]).decode


def _challenges(text: str) -> ChallengeHistory:
    passes, failures, failed_at, abandoned, abandoned_at, *others = msgspec.json.decode(text)
    of_number, marked, unpassed, robot_at = others
    until_now = tuple(of_number), marked, tuple(unpassed), robot_at
    return ChallengeHistory(tuple(passes), failures, failed_at, abandoned, abandoned_at, *until_now)


# Answers of look-ups about the number, as rows of `imported`.
# Whether a source was right about nearly all listed callers that are known here (`count_proofs`).
PROVEN = f"""known_callers >= {DEFAULT.outside.proven_callers}
    AND right_callers >= {DEFAULT.outside.proven_share} * known_callers"""
LOOKED_UP = f"source, verdict, category, NULL, NULL, at, is_outside, 1, {PROVEN}"
OF_LOOK_UPS = """
  FROM lookup_result JOIN lookup_source ON lookup_source.name = source
 WHERE number = :number AND verdict <> 'nothing' AND in_settings = 1 AND off_at IS NULL
"""

# Lengths in `list_prefix`: from a plus and one digit to a whole number. SQLite would make a list after IN into a table,
# and drop it, for each call.
SIZES = ", ".join(f"({size})" for size in range(2, 17))

FACTS = f"""
SELECT 'moments',
       (SELECT salt FROM site WHERE id = 1),
       {OPENED_AT},
       EXISTS (SELECT 1 FROM did WHERE number = :number)
       OR EXISTS (SELECT 1 FROM own_number WHERE number = :number),
       (SELECT max(at) FROM one_ring WHERE number = :number AND at > :now - {ONE_RING_GUARD_SECONDS}),
       (SELECT at FROM review WHERE number = :number),
       (SELECT reference FROM appeal WHERE number = :number AND state = 'in_force'),
       (SELECT max(closed_at) FROM appeal WHERE number = :number AND state = 'upheld'),
       {CLOSED_AT},
       (SELECT people FROM site WHERE id = 1),
       (SELECT max(at) FROM outcome
         WHERE dialled = :number AND at > :now - {DIALLED_SECONDS} AND direction = 'outbound'),
       EXISTS (SELECT 1 FROM contact WHERE company = :company),
       (SELECT voice FROM outcome WHERE caller = :number AND auth_class = :auth_class AND at > :now - {VOICE_SECONDS}
           AND voice IS NOT NULL ORDER BY at DESC, linkedid DESC LIMIT 1),
       NULL, NULL
UNION ALL
SELECT 'did', number, grp, callee, screen, trap, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM did WHERE number = :did
UNION ALL
SELECT 'callee', extension, endpoint, grp, language, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM person WHERE endpoint = :endpoint
UNION ALL
SELECT 'caller', extension, endpoint, grp, language, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM person WHERE endpoint = :channel_endpoint
UNION ALL
SELECT 'callee', extension, endpoint, person.grp, language, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM did JOIN person ON extension = callee WHERE :endpoint IS NULL AND number = :did
UNION ALL
SELECT 'entry', list, kind, first, last, action, note, expires_at, added_at, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (VALUES {SIZES}) AS size CROSS JOIN list_prefix CROSS JOIN list_entry ON id = entry
 WHERE column1 <= length(:listed) AND prefix = substr(:listed, 1, column1)
   AND (kind = 'prefix' OR length(first) = length(:listed))
   AND (list = 'block' OR :number IS NOT NULL)
   AND (expires_at IS NULL OR expires_at > :now)
UNION ALL
SELECT 'tie', verdict, person, grp, endpoint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM personal_entry LEFT JOIN person ON extension = person
 WHERE number = :listed AND (verdict = 'block' OR :number IS NOT NULL)
UNION ALL
SELECT 'tie', 'contact', nullif(person, ''), grp, endpoint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM contact LEFT JOIN person ON extension = person WHERE number = :number
UNION ALL
SELECT 'tie', 'talked', person, grp, endpoint, at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM talk LEFT JOIN person ON extension = person
 WHERE number = :number AND at > :now - {RELATIONSHIP_SECONDS}
   AND NOT EXISTS (SELECT 1 FROM one_ring WHERE one_ring.number = talk.number
                      AND one_ring.at > talk.at - {ONE_RING_GUARD_SECONDS} AND one_ring.at <= talk.at)
UNION ALL
SELECT 'tie', 'not-spam', reporter, person.grp, endpoint, at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM mark LEFT JOIN person ON extension = reporter
 WHERE number = :number AND auth_class = :auth_class AND verdict = 'ok' AND at > :now - {RELATIONSHIP_SECONDS}
   AND NOT EXISTS (SELECT 1 FROM epoch WHERE epoch.number = mark.number AND epoch.at > mark.at)
UNION ALL
SELECT 'tie', 'expected', person, grp, endpoint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM expected_call LEFT JOIN person ON extension = person WHERE until > :now
UNION ALL
SELECT 'wish', wish, coalesce(endpoint, person), person, grp, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (VALUES ('{PhoneSetting.NO_WHISPER}'), ('{PhoneSetting.QUIET}')) AS one CROSS JOIN wish ON wish = column1
       LEFT JOIN person ON extension = person
UNION ALL
SELECT 'identity', number, name, level, {EXPIRES_AT} AS ends_at,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM identity WHERE number = :number AND ends_at > :now
UNION ALL
SELECT 'imported', import_source.name, verdict, category, imported.name, note, imported_at, format IS NOT NULL,
       0, {PROVEN}, NULL, NULL, NULL, NULL, NULL
  FROM imported JOIN import_source ON id = source WHERE number = :number AND live = 1
UNION ALL
SELECT 'imported', {LOOKED_UP}, NULL, NULL, NULL, NULL, NULL
  {OF_LOOK_UPS} AND expires_at > :now
UNION ALL
SELECT 'peer', {PUBLISHED}, NULL, NULL, NULL, NULL, NULL
  {OF_PEERS}
UNION ALL
SELECT 'standing', number, {COLUMNS}
  FROM standing WHERE number = :number AND auth_class = :auth_class
UNION ALL
SELECT * FROM (
    SELECT 'listed', number, format IS NOT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
      FROM (SELECT number, source FROM imported WHERE number BETWEEN :block || '000' AND :block || '999'
             LIMIT 8 * :many)
      JOIN import_source ON id = source
     WHERE live = 1 AND verdict = 'spam' AND imported_at > :block_since
       AND source NOT IN (SELECT source FROM imported WHERE number = :number)
       AND number <> :number AND length(number) = length(:number)
     LIMIT 4 * :many)
UNION ALL
SELECT * FROM (
    SELECT 'neighbour', number, {COLUMNS}
      FROM standing
     WHERE substr(number, 1, length(number) - 3) = :block AND auth_class = :auth_class AND at > :block_since
       AND may_be_bad = 1 AND number <> :number
     ORDER BY at DESC LIMIT 4 * :many)
"""

Row = tuple[Any, ...]

# Exact beats prefix beats range.
_SPECIFICITY = {EntryKind.EXACT: 2, EntryKind.PREFIX: 1, EntryKind.RANGE: 0}


def facts_of(db: sqlite3.Connection, query: FactsQuery, weights: Weights = DEFAULT) -> Facts:
    """Return all facts about a call that the store has at `query.now`, read by a single, consistent statement."""
    return facts_from_rows(_rows_of(db, query, weights), query, weights)


def evidence_of(
    db: sqlite3.Connection, query: FactsQuery, weights: Weights = DEFAULT
) -> tuple[Evidence, Circumstances]:
    """Return the evidence and circumstances from which `facts_of` computes the reputation."""
    return _evidence(_by_kind(_rows_of(db, query, weights)), query, weights)


def _rows_of(db: sqlite3.Connection, query: FactsQuery, weights: Weights) -> list[Row]:
    number, name = query.number, query.name
    key, block = (None, None) if number is None else (number.key, number.block)
    parameters = {
        "number": key,
        "listed": key or query.withheld,
        "auth_class": query.auth_class,
        "did": query.did,
        "endpoint": query.endpoint,
        "channel_endpoint": query.channel_endpoint,
        "now": query.now,
        "block": block,
        "block_since": query.now - weights.block.days * DAY_SECONDS,
        "many": weights.block.many,
        "company": company_key(name) if name else None,
    }
    return db.execute(FACTS, parameters).fetchall()


def _by_kind(rows: list[Row]) -> dict[str, list[Row]]:
    of: dict[str, list[Row]] = {}
    for row in rows:
        if row[0] == "tie" and row[2] is not None and site_of(row[2]):
            continue  # a tie at another site does not count here
        of.setdefault(row[0], []).append(row)
    return of


def facts_from_rows(rows: list[Row], query: FactsQuery, weights: Weights) -> Facts:
    """Return the facts of a call from the rows of the query FACTS. Most calls have two or three rows."""
    of = _by_kind(rows)
    moments = of["moments"][0]
    entries = [entry_of_row(row[1:9]) for row in of.get("entry", ())]
    ties = [PersonalTie(Tie(row[1]), *row[2:6]) for row in of.get("tie", ())]
    evidence, circumstances = _evidence(of, query, weights)
    switched = of.get("wish", ())
    _, salt, emergency_at, own_number, one_ring_at, _, _, _, emergency_closed_at, _, dialled_at, company, voice, *_ = (
        moments
    )
    context = CallContext(
        did=did_from_row(of["did"][0][1:6]) if "did" in of else None,
        callee=Person(*of["callee"][0][1:6]) if "callee" in of else None,
        caller_person=Person(*of["caller"][0][1:6]) if "caller" in of else None,
        allow=most_specific(entries, ListName.ALLOW) if entries else None,
        block=most_specific(entries, ListName.BLOCK) if entries else None,
        ties=tuple(dict.fromkeys(ties)) if ties else (),  # a contact in two sources is one tie
        emergency_at=emergency_at,
        emergency_closed_at=emergency_closed_at,
        one_ring_at=one_ring_at,
        own_number=bool(own_number),
        unwhispered=tuple([row[2] for row in switched if row[1] == PhoneSetting.NO_WHISPER]) if switched else (),
        quiet=tuple([Person(row[3], row[2], row[4]) for row in switched if row[1] == PhoneSetting.QUIET])
        if switched
        else (),
        first_call=query.first_call if _is_first_call(of, query) else None,
        sample=ControlSample(salt, weights.sample.every),
        plan=query.plan,
        dialled_at=dialled_at,
        is_company_known=bool(company),
        voice=None if voice is None else Voice(voice),
    )
    peers = tuple([peer_word_from(row[1:10]) for row in of["peer"]]) if "peer" in of else ()
    reputation = with_changes(evidence, circumstances, weights, query.now)
    return facts_from(context, evidence, reputation, weights, peers=peers)


def _evidence(of: dict[str, list[Row]], query: FactsQuery, weights: Weights) -> tuple[Evidence, Circumstances]:
    identity = Identity(*of["identity"][0][1:5]) if "identity" in of else None
    moments = of["moments"][0]
    is_stranger = "tie" not in of and identity is None
    about = query.auth_class, query.attestation, query.verification, query.hour, is_stranger, moments[9]
    if _OF_EVIDENCE.isdisjoint(of) and moments[5:8] == (None, None, None):  # nearly every call
        return NO_EVIDENCE, Circumstances(*about)
    evidence = Evidence(
        standing=standing_from(of["standing"][0][2:]) if "standing" in of else None,
        imported=tuple([imported_from(row[1:10]) for row in of.get("imported", ())]),
        identity=identity,
        listed_neighbours=len({row[1] for row in of.get("listed", ()) if row[2]}),
        bad_neighbours=_bad_neighbours(of, weights, query.now),
        reviewed_at=moments[5],
        upheld_at=moments[7],
        appeal=moments[6],
    )
    return evidence, Circumstances(*about)


def _is_first_call(of: dict[str, list[Row]], query: FactsQuery) -> bool:
    if query.number is None or "standing" in of or "identity" in of or "caller" in of:
        return False
    if "tie" in of and any(row[1] != Tie.EXPECTED for row in of["tie"]):
        return False
    return "entry" not in of or all(row[1] != ListName.ALLOW for row in of["entry"])


_OF_EVIDENCE = frozenset({"standing", "imported", "identity", "listed", "neighbour"})


def _bad_neighbours(of: dict[str, list[Row]], weights: Weights, now: float) -> int:
    """Count the other numbers of the caller's block that are bad by evidence here or by a list imported once."""
    bad = {row[1] for row in of.get("listed", ()) if not row[2]}
    for row in of.get("neighbour", ()):
        if len(bad) >= weights.block.many:
            break
        if is_bad(standing_from(row[2:]), weights, now):
            bad.add(row[1])
    return len(bad)


def imported_from(row: Row) -> Imported:
    """Convert a row to an imported number. The row ends with the flags `is_outside`, `was_asked` and `is_proven`."""
    source, verdict, category, name, note, imported_at, *flags = row
    return Imported(source, verdict, category, name, note, imported_at, *map(bool, flags))


def peer_word_from(row: Row) -> PeerWord:
    """Convert a row of the query PUBLISHED to what another company publishes about a number."""
    peer, weight, is_cleared, level, *counts = row
    return PeerWord(peer, weight, bool(is_cleared), Level(level), *counts)


def most_specific(entries: list[ListEntry], list_name: ListName) -> ListEntry | None:
    """Return the entry of this list that applies (exact number, else longest prefix, else narrowest range), or None."""
    return max((entry for entry in entries if entry.list_name is list_name), key=_specificity, default=None)


def _specificity(entry: ListEntry) -> tuple[int, int]:
    width = int(entry.last) - int(entry.first) if entry.last else 0
    return _SPECIFICITY[entry.kind], -width or len(entry.first)
