"""Definitions of the tables of calls and evidence, such as decisions, outcomes, marks, standings and sources."""

from typing import Final

from reputation.model import Answered, AuthClass, Challenged, DecisionRecord, Mark, TrapCall
from reputation.outcome import OutcomeRecord, Signal
from reputation.store.confirmations import Confirmation
from reputation.store.evidence_rows import SIGNAL_COUNTS
from reputation.store.identities import Epoch
from reputation.store.marks import Review, Tombstone
from reputation.store.tables.table import (
    AUDIT_DAYS,
    DECISION_DAYS,
    EVIDENCE_DAYS,
    OF_A_DAY,
    OUTCOME_DAYS,
    TRANSCRIPT_DAYS,
    Kept,
    Kind,
    SharedWith,
    Table,
)
from reputation.store.transcripts import Transcript

# Whether a one-ring call provoked a call-back, or a caller was provoked, is only known at the site of the call.
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
    label=("outgoing call to the number", "outgoing calls to the number"),
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
TRAP_CALL = Table(
    name="trap_call",
    label=("call to a trap", "calls to traps"),
    numbers=("number",),
    order="at",
    kept=Kept(DECISION_DAYS),
    row=TrapCall,
    shared=SharedWith.STANDBY,
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
STANDING = Table(name="standing", label=("total of calls and marks", "totals of calls and marks"), numbers=("number",))
# It outlives the mark that it covers. A tombstone of another site for all reporters covers those of its site
# (`berlin:`), and those of all sites if its site is followed.
TOMBSTONE = Table(
    name="tombstone",
    label=("mark that was found to be wrong", "marks that were found to be wrong"),
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
CONFIRMATION = Table(
    name="confirmation",
    label=("confirmation of decisions", "confirmations of decisions"),
    numbers=("number",),
    kept=Kept(EVIDENCE_DAYS),
    row=Confirmation,
    shared=SharedWith.STANDBY,
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
    TRAP_CALL,
    MARK,
    STANDING,
    TOMBSTONE,
    EPOCH,
    REVIEW,
    CONFIRMATION,
    SETTLED,
    FOLDING,
)


# Caller texts that are no number may still contain its digits.
OF_DECISION: Final = "(caller = :number OR caller_text <> '' AND has_digits(caller_text))"

# Also calls of other sites that a console shows. The linkedid says which site a row is of.
DECISION = Table(
    name="decision",
    label=("decision", "decisions"),
    numbers=("caller",),
    about=OF_DECISION,
    order="at",
    kept=Kept(DECISION_DAYS),
    row=DecisionRecord,
    shared=Kind(scope=SharedWith.PRIVATE, counts="linkedid <> ''"),
)
OUTCOME = Table(
    name="outcome",
    label=("call", "calls"),
    numbers=("caller", "dialled"),
    order="at",
    kept=Kept(OUTCOME_DAYS),
    row=OutcomeRecord,
    shared=Kind(scope=SharedWith.PRIVATE, counts="direction = 'inbound'"),
)
# When somebody last answered one of our numbers: such a number is no trap. Deleted calls leave it behind (a trigger).
ANSWERED_DID = Table(
    name="answered_did",
    label=("answered DID", "answered DIDs"),
    own_numbers=("number",),
    kept=Kept(DECISION_DAYS),
)
REACHED = Table(
    name="reached",
    label=("call that reached somebody", "calls that reached somebody"),
    numbers=("number",),
    order="at",
    kept=Kept(OUTCOME_DAYS),
)
# It names the call, and the CDRs of the PBX would reveal the caller.
CHALLENGE_RESULT = Table(
    name="challenge_result",
    label=("result of a challenge", "results of challenges"),
    about=f"""linkedid <> '' AND linkedid IN (
        SELECT linkedid FROM challenge WHERE number = :number
         UNION ALL SELECT linkedid FROM outcome WHERE caller = :number
         UNION ALL SELECT linkedid FROM decision WHERE {OF_DECISION})""",
    order="at",
    kept=Kept(OUTCOME_DAYS),
)
# As long as the recordings (callsieve/calls/spoken_names.py). It stays at its site.
TRANSCRIPT = Table(
    name="transcript",
    label=("transcript of what the caller said", "transcripts of what the caller said"),
    numbers=("number",),
    order="at",
    kept=Kept(TRANSCRIPT_DAYS),
    row=Transcript,
)
# How far back passes are counted: reputation/families/caller.py. Challenges are not shared: a site that lies could
# open and close convictions by them without limit.
CHALLENGE = Table(
    name="challenge",
    label=("challenge", "challenges"),
    numbers=("number",),
    order="at",
    kept=Kept(DECISION_DAYS),
    row=Challenged,
    shared=SharedWith.PRIVATE,
    is_folded=True,
)
EMERGENCY_CALL = Table(
    name="emergency_call",
    label=("emergency call", "emergency calls"),
    kept=Kept(DECISION_DAYS),
    shared=Kind(scope=SharedWith.STANDBY, key=("at",), at="at"),
)
EMERGENCY_CLOSE = Table(name="emergency_close", shared=Kind(scope=SharedWith.STANDBY, key=("only_row",), at="at"))
CALL_IMPORT = Table(name="call_import")
CALLS = (
    CHALLENGE_RESULT,
    TRANSCRIPT,
    CHALLENGE,
    DECISION,
    OUTCOME,
    ANSWERED_DID,
    REACHED,
    EMERGENCY_CALL,
    EMERGENCY_CLOSE,
    CALL_IMPORT,
)


PEER_DAYS = 30  # after the index of another company has run out

IMPORTED = Table(
    name="imported",
    label=("row of an imported list", "rows of imported lists"),
    numbers=("number",),
    shown="""SELECT import_source.name AS source, verdict, category, imported.name, note, imported_at
      FROM imported JOIN import_source ON id = source""",
)
IMPORT_SOURCE = Table(name="import_source")
FEED_FETCH = Table(name="feed_fetch")
# Answers of a source are compared with what later calls showed.
LOOKUP_RESULT = Table(
    name="lookup_result",
    label=("answer from a look-up service", "answers from look-up services"),
    numbers=("number",),
    kept=Kept(DECISION_DAYS),
)
LOOKUP_SOURCE = Table(name="lookup_source")
LOOKUP_DAY = Table(
    name="lookup_day",
    label=("daily count of a look-up service", "daily counts of look-up services"),
    kept=Kept(EVIDENCE_DAYS, OF_A_DAY),
)
# Rows that expired long ago, or whose company no settings name. Some at a time, as there may be millions.
PEER_NUMBER = Table(
    name="peer_number",
    label=("row of evidence from other companies", "rows of evidence from other companies"),
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
    label=("report about the number to a service", "reports about the number to services"),
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
