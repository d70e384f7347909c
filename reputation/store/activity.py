"""Query recent decisions: calls by action, callers and blocks of 1000 numbers that call most, and control samples."""

import json
import sqlite3
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from reputation.control_sample import SampledCalls
from reputation.numbers import block_of
from reputation.signals import HUNG_UP_SECONDS
from reputation.site_names import has_mark, site_and_mark

COUNTS = """
SELECT CAST((at - :since) / :step AS INTEGER), would_be, count(*) FROM decision
 WHERE at >= :since AND at < :until GROUP BY 1, 2
"""
# Later decisions about a call that had a decision before: for one callee who wants something else.
AGAIN = """
SELECT CAST((at - :since) / :step AS INTEGER), would_be, count(*) FROM decision AS later
 WHERE callee IS NOT NULL AND at >= :since AND at < :until AND linkedid <> ''
   AND EXISTS (SELECT 1 FROM decision WHERE decision.linkedid = later.linkedid AND decision.at < later.at)
 GROUP BY 1, 2
"""
CALLERS = """
SELECT caller, count(*) FROM decision WHERE at >= :since AND at < :until AND caller IS NOT NULL
 GROUP BY caller HAVING count(*) >= :least ORDER BY count(*) DESC, caller LIMIT :limit
"""
BEFORE = "SELECT count(*) FROM decision WHERE caller = ? AND at >= ? AND at < ?"
LATEST = "SELECT would_be, log_odds FROM decision WHERE caller = ? ORDER BY at DESC LIMIT 1"
BLOCKS = """
SELECT substr(caller, 1, length(caller) - 3), count(*), count(DISTINCT caller), max(caller) FROM decision
 WHERE at >= :since AND at < :until AND caller IS NOT NULL
 GROUP BY 1 HAVING count(DISTINCT caller) >= :least ORDER BY 3 DESC, 2 DESC, 1
"""
# Numbers that were stopped or warned about although some evidence speaks for them. Whether that was a mistake,
# callsieve/replay/false_positives.py decides call by call.
STOPPED_AND_KNOWN = """
SELECT caller FROM decision AS d
 WHERE would_be IN ('warn', 'challenge', 'route', 'reject') AND would_be <> 'allow' AND at >= :since
   AND caller IS NOT NULL
 GROUP BY caller
HAVING EXISTS (SELECT 1 FROM contact WHERE number = d.caller)
    OR EXISTS (SELECT 1 FROM identity WHERE number = d.caller AND level >= 2)
    OR EXISTS (SELECT 1 FROM talk WHERE number = d.caller AND at >= :since)
    OR (SELECT count(DISTINCT callee) FROM signal WHERE number = d.caller AND category = 'long-talk') >= 2
    OR EXISTS (SELECT 1 FROM signal WHERE number = d.caller AND category IN ('voicemail', 'not-spam'))
    OR EXISTS (SELECT 1 FROM challenge WHERE number = d.caller AND result = 'message')
 ORDER BY max(at) DESC LIMIT :limit
"""
# Counted are later marks of this call, or by the person who answered it.
SAMPLED = f"""
SELECT count(*), coalesce(sum(o.disposition = 'answered'), 0),
       coalesce(sum(o.disposition = 'answered' AND o.ended_by = 'callee' AND o.talk_seconds < {HUNG_UP_SECONDS}), 0),
       coalesce(sum(EXISTS (SELECT 1 FROM mark AS m
                             WHERE m.number = d.caller AND m.verdict = 'spam' AND m.at >= d.at
                               AND (m.linkedid = d.linkedid OR m.reporter = o.answered_by))), 0)
  FROM decision AS d LEFT JOIN outcome AS o ON o.linkedid = d.linkedid
 WHERE d.at >= :since AND d.at < :until AND d.would_be = 'allow' AND instr(d.reason, '"control-sample"')
"""
BY_RULE = "SELECT count(*) FROM decision WHERE at >= ? AND at < ? AND rule = ?"
OF_RULES = " AND d.rule <> 'default' AND d.rule IN (SELECT value FROM json_each(:rules))"
# As its index: callsieve's migration `calls_of_sites`.
OF_SITE = f"{has_mark('{row}linkedid')} AND {site_and_mark('{row}linkedid')} = :site || ':' AND "
LEAST_CALLS = 3
LEAST_NUMBERS = 3


class ActionCount(NamedTuple):
    """How many calls had an action in one step of a period. `step`: the number of the step; the first step has 0."""

    step: int
    action: str
    calls: int


class Rising(NamedTuple):
    """A number that called in a period. `before`: its average count of calls in the seven equally long periods before.

    `action`, `log_odds`: the action and the reputation in the latest decision about the number.
    """

    number: str
    calls: int
    before: float
    action: str
    log_odds: float


class CallerBlock(NamedTuple):
    """A block of 1000 numbers. `block`: the digits that these numbers share. `numbers`: how many of them called."""

    block: str
    calls: int
    numbers: int


def counts_over(db: sqlite3.Connection, since: float, until: float, step: float, site: str = "") -> list[ActionCount]:
    """Count calls by action, in steps of `step` seconds. `site`: only calls that this other site received; empty: all.

    The action is that of a call's first decision. In observe mode, it is the action that would have been taken.
    """
    about = {"since": since, "until": until, "step": step, "site": site}
    counts, again_of = (
        sql.replace(" WHERE ", f" WHERE {OF_SITE.format(row=row)}", 1) if site else sql
        for sql, row in ((COUNTS, ""), (AGAIN, "later."))
    )
    again = {(step, action): calls for step, action, calls in db.execute(again_of, about)}
    counted = (
        ActionCount(step, action, calls - again.get((step, action), 0))
        for step, action, calls in db.execute(counts, about)
    )
    return [count for count in counted if count.calls]


def decided_by(db: sqlite3.Connection, rule: str, since: float, until: float) -> int:
    """Return how many decisions a rule made between `since` and `until`."""
    (count,) = db.execute(BY_RULE, (since, until, rule)).fetchone()
    return int(count)


def rising_numbers(db: sqlite3.Connection, since: float, until: float, limit: int) -> list[Rising]:
    """Return the busy numbers that call most beyond their average in the seven equally long periods before."""
    span = until - since
    spans_before = 7
    about = {"since": since, "until": until, "least": LEAST_CALLS, "limit": 10 * limit}
    rising = []
    for number, calls in db.execute(CALLERS, about).fetchall():
        (before,) = db.execute(BEFORE, (number, since - spans_before * span, since)).fetchone()
        action, log_odds = db.execute(LATEST, (number,)).fetchone()
        rising.append(Rising(number, calls, before / spans_before, action, log_odds))
    return sorted(rising, key=lambda row: (row.before - row.calls, row.number))[:limit]


def busy_blocks(db: sqlite3.Connection, since: float, until: float, limit: int) -> list[CallerBlock]:
    """Return the blocks of 1000 numbers that had the most different callers, the block with the most callers first."""
    about = {"since": since, "until": until, "least": LEAST_NUMBERS}
    # Service numbers are in no block.
    blocks = (CallerBlock(*row) for *row, caller in db.execute(BLOCKS, about) if block_of(caller) is not None)
    return list(islice(blocks, limit))


def stopped_but_known(db: sqlite3.Connection, since: float, limit: int) -> list[str]:
    """Return callers with evidence in their favour who were stopped or warned about (in observe mode: would be)."""
    return [number for (number,) in db.execute(STOPPED_AND_KNOWN, {"since": since, "limit": limit})]


def sampled_calls(db: sqlite3.Connection, since: float, until: float, rules: Sequence[str] = ()) -> SampledCalls:
    """Return how the calls of the control sample ended. They got no warning on purpose, to be compared with others.

    `rules`: only calls that these rules decided; empty: all calls.
    """
    about = {"since": since, "until": until, "rules": json.dumps(list(rules))}
    return SampledCalls(*db.execute(SAMPLED + (OF_RULES if rules else ""), about).fetchone())
