"""What others say of numbers: imported lists, look-ups, other companies; and what we report to others."""

from __future__ import annotations

from reputation.store.tables.table import DECISION_DAYS, EVIDENCE_DAYS, OF_A_DAY, Kept, Table

PEER_DAYS = 30  # after the index of another company has run out

IMPORTED = Table(
    name="imported",
    label=("row of imports", "rows of imports"),
    numbers=("number",),
    shown="""SELECT import_source.name AS source, verdict, category, imported.name, note, imported_at
      FROM imported JOIN import_source ON id = source""",
)
IMPORT_SOURCE = Table(name="import_source")
FEED_FETCH = Table(name="feed_fetch")
# What a source said is compared with what the calls since then showed.
LOOKUP_RESULT = Table(
    name="lookup_result",
    label=("answer of a look-up", "answers of look-ups"),
    numbers=("number",),
    kept=Kept(DECISION_DAYS),
)
LOOKUP_SOURCE = Table(name="lookup_source")
LOOKUP_DAY = Table(name="lookup_day", label=("day of look-ups", "days of look-ups"), kept=Kept(EVIDENCE_DAYS, OF_A_DAY))
# What has long run out, or is named by no settings; some at a time, as there may be millions.
PEER_NUMBER = Table(
    name="peer_number",
    label=("row of other companies", "rows of other companies"),
    numbers=("number",),
    shown="""SELECT name AS peer, auth_class, level, witnesses, answered, first_week, last_week, category
      FROM peer_number JOIN peer ON peer.id = peer_number.peer""",
    kept=Kept(
        PEER_DAYS,
        "(number, auth_class, peer) IN ("
        " SELECT number, auth_class, peer FROM peer_number JOIN peer ON peer.id = peer_number.peer"
        " WHERE counts_until < ?1 AND EXISTS (SELECT 1 FROM peer WHERE counts_until < ?1 AND numbers + cleared > 0)"
        " LIMIT 20000)",
    ),
)
PEER = Table(name="peer")
PEER_KEY = Table(name="peer_key", verbatim=("of", "key"))
SUBSCRIPTION = Table(name="subscription")
REPORT = Table(
    name="report",
    label=("report to others", "reports to others"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
)
REPORT_SERVICE = Table(name="report_service")
OUTSIDE = (
    IMPORTED,
    IMPORT_SOURCE,
    FEED_FETCH,
    LOOKUP_RESULT,
    LOOKUP_SOURCE,
    LOOKUP_DAY,
    PEER_NUMBER,
    PEER,
    PEER_KEY,
    SUBSCRIPTION,
    REPORT,
    REPORT_SERVICE,
)
