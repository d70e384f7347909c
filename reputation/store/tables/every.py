"""The tuple of all tables, in the order in which an erasure goes through them."""

from __future__ import annotations

from reputation.store.tables.appeals import APPEALS
from reputation.store.tables.calls import CALLS
from reputation.store.tables.evidence import EVIDENCE
from reputation.store.tables.housekeeping import HOUSEKEEPING
from reputation.store.tables.outside import OUTSIDE
from reputation.store.tables.own import OWN
from reputation.store.tables.people import PEOPLE

TABLES = (*PEOPLE, *OUTSIDE, *CALLS, *EVIDENCE, *APPEALS, *OWN, *HOUSEKEEPING)
TABLE_BY_NAME = {table.name: table for table in TABLES}
