"""Evidence: what people said, what calls showed, and the sums over both."""

from __future__ import annotations

from reputation.model import Answered, AuthClass, Mark
from reputation.outcome import Signal
from reputation.store.evidence_rows import SIGNAL_COUNTS
from reputation.store.ownership import Epoch
from reputation.store.reviews import Review
from reputation.store.tables.table import AUDIT_DAYS, EVIDENCE_DAYS, Kept, Kind, SharedWith, Table
from reputation.store.tombstones import Tombstone

# A call-back that a one-ring call asked for, and what was done to provoke a caller, are known only where that was.
SIGNAL = Table(
    name="signal",
    label=("signal", "signals"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    row=Signal,
    shared=Kind(scope=SharedWith.SHARED, counts=SIGNAL_COUNTS),
    is_folded=True,
)
ANSWERED = Table(
    name="answered",
    label=("answered call", "answered calls"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    row=Answered,
    shared=SharedWith.SHARED,
    is_folded=True,
)
TALK = Table(
    name="talk",
    label=("call of ours to it", "calls of ours to it"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    shared=Kind(scope=SharedWith.PRIVATE, at="at", key=("person",), named=("person",)),
)
INBOUND_TALK = Table(
    name="inbound_talk",
    label=("talk", "talks"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    shared=Kind(
        scope=SharedWith.PRIVATE,
        at="at",
        key=("auth_class", "epoch", "callee"),
        named=("callee", "linkedid"),
        shared=("first_at", "linkedid"),
        allowed={"auth_class": frozenset(AuthClass)},
    ),
)
ONE_RING = Table(
    name="one_ring",
    label=("one-ring call", "one-ring calls"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    shared=Kind(scope=SharedWith.STANDBY, key=("at", "auth_class"), at="at"),
    is_folded=True,
)
MARK = Table(
    name="mark",
    label=("mark", "marks"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    row=Mark,
    shared=SharedWith.SHARED,
    is_folded=True,
)
STANDING = Table(name="standing", label=("sum of calls and marks", "sums of calls and marks"), numbers=("number",))
# The mark that it keeps from counting is gone long before. A stone for all reporters covers those of its site:
# `berlin:`. From a site that is followed, those of all.
TOMBSTONE = Table(
    name="tombstone",
    label=("mark that was found wrong", "marks that were found wrong"),
    numbers=("number",),
    order="until",
    kept=Kept(AUDIT_DAYS, "until < ?"),
    row=Tombstone,
    shared=Kind(scope=SharedWith.SHARED, at="until"),
    is_folded=True,
)
EPOCH = Table(
    name="epoch",
    label=("change of owner", "changes of owner"),
    numbers=("number",),
    order="at",
    kept=Kept(AUDIT_DAYS),
    row=Epoch,
    shared=SharedWith.STATEMENT,
    is_folded=True,
)
REVIEW = Table(
    name="review",
    label=("review", "reviews"),
    numbers=("number",),
    kept=Kept(EVIDENCE_DAYS),
    row=Review,
    shared=SharedWith.STANDBY,
    is_folded=True,
)
SETTLED = Table(
    name="settled",
    shared=Kind(scope=SharedWith.STANDBY, key=("reporter", "case_id"), shared=("agrees",), at="at"),
)
FOLDING = Table(name="folding")
EVIDENCE = (
    SIGNAL,
    ANSWERED,
    TALK,
    INBOUND_TALK,
    ONE_RING,
    MARK,
    STANDING,
    TOMBSTONE,
    EPOCH,
    REVIEW,
    SETTLED,
    FOLDING,
)
