"""Definitions of the tables of own numbers and outgoing calls. An erasure keeps rows about own numbers."""

from reputation.own.daily_counts import OwnDay
from reputation.own.outbound_types import OutboundRecord
from reputation.own.register import OwnNumber
from reputation.store.do_not_call import Complaint, DoNotCallRequest
from reputation.store.own_days import PEOPLE_DAYS
from reputation.store.registers import Consent
from reputation.store.tables.people import NOT_OF_SETTINGS
from reputation.store.tables.table import EVIDENCE_DAYS, OF_A_DAY, OUTCOME_DAYS, Kept, Kind, SharedWith, Table

OWN_NUMBER = Table(
    name="own_number",
    label=("own number", "own numbers"),
    own_numbers=("number",),
    shared=Kind(scope=SharedWith.STANDBY, shared=("source",), counts=NOT_OF_SETTINGS),
)
OWN_REGISTER = Table(
    name="own_register",
    label=("entry of the register of own numbers", "entries of the register of own numbers"),
    own_numbers=("number",),
    shared=Kind(scope=SharedWith.STANDBY, at="added_at"),
    row=OwnNumber,
)
OWN_CALLED = Table(
    name="own_called",
    label=("day on which we called the number", "days on which we called the number"),
    numbers=("callee",),
    order="day",
    kept=Kept(PEOPLE_DAYS, OF_A_DAY),
    shared=Kind(scope=SharedWith.STANDBY, number="number", key=("callee", "day"), shared=("calls",)),
)
DO_NOT_CALL = Table(
    name="do_not_call",
    label=("do-not-call request", "do-not-call requests"),
    numbers=("number",),
    row=DoNotCallRequest,
    shared=SharedWith.STANDBY,
)
CONSENT = Table(
    name="consent",
    label=("consent to be called", "consents to be called"),
    numbers=("number",),
    row=Consent,
    shared=SharedWith.STANDBY,
)
REGISTER_NUMBER = Table(
    name="register_number",
    label=("entry of a national register", "entries of national registers"),
    numbers=("number",),
    about="number = CAST(substr(:number, 2) AS INTEGER)",
    shown="SELECT number, name, file_at FROM register_number JOIN register_copy ON id = copy",
)
REGISTER_COPY = Table(name="register_copy")
OWN_COMPLAINT = Table(
    name="own_complaint",
    label=("complaint against an own number", "complaints against own numbers"),
    numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
    row=Complaint,
)
OUTBOUND_DECISION = Table(
    name="outbound_decision",
    label=("decision about a call to the number", "decisions about calls to the number"),
    numbers=("callee",),
    order="at",
    kept=Kept(OUTCOME_DAYS),
    row=OutboundRecord,
    shared=SharedWith.STANDBY,
)
OWN_DAY = Table(
    name="own_day",
    label=("daily count of calls from an own number", "daily counts of calls from own numbers"),
    own_numbers=("number",),
    order="day",
    kept=Kept(EVIDENCE_DAYS, OF_A_DAY),
    row=OwnDay,
    shared=SharedWith.STANDBY,
)
OWN_BLOCKED = Table(
    name="own_blocked",
    label=("daily count of refused calls from an own number", "daily counts of refused calls from own numbers"),
    own_numbers=("number",),
    order="day",
    kept=Kept(EVIDENCE_DAYS, OF_A_DAY),
)
OWN_LABEL = Table(
    name="own_label",
    label=("label check of an own number", "label checks of own numbers"),
    own_numbers=("number",),
    order="at",
    kept=Kept(EVIDENCE_DAYS),
)
# A picture of a phone's screen cannot be searched. The number in its file name says what it shows.
OWN_SCREENSHOT = Table(
    name="own_screenshot",
    label=("screenshot", "screenshots"),
    numbers=("number",),
    about="(number = :number OR has_digits(name) OR has_digits(platform))",
    order="at",
    kept=Kept(EVIDENCE_DAYS),
)
OWN_SUSPICION = Table(
    name="own_suspicion",
    label=("suspicion about an own number", "suspicions about own numbers"),
    own_numbers=("number",),
    order="since",
    kept=Kept(OUTCOME_DAYS),
)
OWN_GRADE = Table(
    name="own_grade",
    label=("grade of an own number", "grades of own numbers"),
    own_numbers=("number",),
    kept=Kept(OUTCOME_DAYS),
    shared=Kind(scope=SharedWith.STANDBY, shared=("grade", "reasons", "before", "changed_at"), at="at"),
)
OWN = (
    OWN_NUMBER,
    OWN_REGISTER,
    OWN_CALLED,
    DO_NOT_CALL,
    CONSENT,
    REGISTER_NUMBER,
    REGISTER_COPY,
    OWN_COMPLAINT,
    OUTBOUND_DECISION,
    OWN_DAY,
    OWN_BLOCKED,
    OWN_LABEL,
    OWN_SCREENSHOT,
    OWN_SUSPICION,
    OWN_GRADE,
)
