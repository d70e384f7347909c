"""All tables of the store, in the order in which an erasure deletes rows. Tables that record the erasure are last."""

from reputation.store.site import PublishedPolicy
from reputation.store.tables.evidence import CALLS, EVIDENCE, OUTSIDE
from reputation.store.tables.own import OWN
from reputation.store.tables.people import APPEALS, PEOPLE
from reputation.store.tables.table import AUDIT_DAYS, Kept, Kind, SharedWith, Table

# The deliveries of an event are deleted with it. The whole event is erased, though it may name another number too.
EVENT = Table(
    name="event",
    label=("event for receivers", "events for receivers"),
    numbers=("subject",),
    about="(subject = :number OR has_digits(data))",
    order="seq",
)
# The hub knows rows by these keys. They are needed to send a change of such a row.
HUB_OUTBOX = Table(
    name="hub_outbox",
    label=("row to be sent to the hub", "rows to be sent to the hub"),
    numbers=("number",),
    verbatim=("key",),
)
HUB_ROW = Table(
    name="hub_row",
    label=("row shared through the hub", "rows shared through the hub"),
    numbers=("number",),
    verbatim=("key",),
)
# Erased numbers, for the hub. It gets only the number, and has it erased everywhere.
HUB_ERASURE = Table(
    name="hub_erasure",
    label=("erasure to be sent to the hub", "erasures to be sent to the hub"),
    numbers=("number",),
    erase="""INSERT INTO hub_erasure (number, at) SELECT :number, unixepoch() WHERE EXISTS (SELECT 1 FROM hub_link)
      ON CONFLICT DO NOTHING""",
)
ERASURE_REQUEST = Table(
    name="erasure_request",
    label=("erasure by another site, to be confirmed", "erasures by other sites, to be confirmed"),
    numbers=("number",),
)
# The policy of the first PBX of a site, for `hub status` at its standby.
POLICY_IN_FORCE = Table(
    name="policy_in_force",
    shared=Kind(scope=SharedWith.STANDBY, key=("only_row",), shared=("name", "digest"), at="at"),
)
# Every site gets it, but only sites whose settings say so use it: callsieve/policy/central.py.
PUBLISHED_POLICY = Table(
    name="published_policy",
    row=PublishedPolicy,
    shared=Kind(scope=SharedWith.SHARED, at="published_at", long_text="text"),
)
IGNORED_SITE = Table(
    name="ignored_site",
    shared=Kind(scope=SharedWith.STANDBY, key=("site",), shared=("who", "reason"), at="at"),
)
# A row about a complaint names the own number, and in its text the person who complains.
_OF_AUDIT = """number = :number OR what IN ('own complaint', 'undo own complaint') AND :number IN (
    CASE WHEN json_valid(before) THEN json_extract(before, '$.number') END,
    CASE WHEN json_valid(after) THEN json_extract(after, '$.number') END)"""
AUDIT = Table(
    name="audit",
    label=("change by a user of this site", "changes by users of this site"),
    numbers=("number",),
    about=_OF_AUDIT,
    order="at",
    erase=f"UPDATE audit SET number = NULL, name = '', before = NULL, after = NULL WHERE {_OF_AUDIT}",
    kept=Kept(AUDIT_DAYS),
)
# No row of these is about a number, is shared, or expires.
_PLAIN = """event_delivery event_receiver event_state event_wanted event_weights hub_fill hub_first_try hub_link
    hub_refused hub_site housekeeping migration site"""
HOUSEKEEPING = (
    EVENT,
    HUB_OUTBOX,
    HUB_ROW,
    HUB_ERASURE,
    ERASURE_REQUEST,
    POLICY_IN_FORCE,
    PUBLISHED_POLICY,
    IGNORED_SITE,
    AUDIT,
    *(Table(name=name) for name in _PLAIN.split()),
)


TABLES = (*PEOPLE, *OUTSIDE, *CALLS, *EVIDENCE, *APPEALS, *OWN, *HOUSEKEEPING)
TABLE_BY_NAME = {table.name: table for table in TABLES}
