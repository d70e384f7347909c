"""Definitions of the tables of people, DIDs, lists, users and appeals. An appeal's rows are erased before it."""

from reputation.appeals import Appeal
from reputation.columns import column_list
from reputation.model import Did, Identity, ListEntry, Person
from reputation.store.devices import Device, SignIn
from reputation.store.lists import Contact, ExpectedCall, PersonalEntry, PersonSetting
from reputation.store.tables.table import AUDIT_DAYS, Kept, Kind, SharedWith, Table

NOT_OF_SETTINGS = "source <> 'settings'"  # both PBXs have a settings file with these rows
ANSWER_DAYS = 1.0
IDENTITY_DAYS = 400.0  # an identity ends after 12 months

LIST_ENTRY = Table(
    name="list_entry",
    label=("list entry", "list entries"),
    numbers=("first", "last"),
    about="first = :number AND last IN ('', :number)",  # a wider prefix or range is not about this one number
    kept=Kept(0, "expires_at <= ?"),
    row=ListEntry,
    shared=Kind(scope=SharedWith.STATEMENT, at="added_at"),
)
LIST_PREFIX = Table(name="list_prefix")
LIST_DIGEST = Table(name="list_digest")
PERSONAL_ENTRY = Table(
    name="personal_entry",
    label=("entry of a personal list", "entries of personal lists"),
    numbers=("number",),
    row=PersonalEntry,
    shared=Kind(scope=SharedWith.STANDBY, shared=("source",)),
)
CONTACT = Table(
    name="contact",
    label=("contact", "contacts"),
    numbers=("number",),
    row=Contact,
    shared=Kind(scope=SharedWith.STANDBY, key=("source",)),
)
IDENTITY = Table(
    name="identity",
    label=("identity", "identities"),
    numbers=("number",),
    kept=Kept(0, "expires_at <= ?", at_most=IDENTITY_DAYS),
    row=Identity,
    shared=Kind(scope=SharedWith.STATEMENT, at="added_at"),
    is_folded=True,
)
PERSON = Table(
    name="person",
    row=Person,
    shared=Kind(scope=SharedWith.STANDBY, shared=("source",), counts=NOT_OF_SETTINGS),
)
DID = Table(
    name="did",
    label=("number that callers dial", "numbers that callers dial"),
    own_numbers=("number",),
    row=Did,
    shared=Kind(scope=SharedWith.STANDBY, shared=("source",), counts=NOT_OF_SETTINGS),
)
EXPECTED_CALL = Table(
    name="expected_call",
    label=("expected call", "expected calls"),
    kept=Kept(0, "until <= ?"),
    row=ExpectedCall,
    shared=SharedWith.STANDBY,
)
WISH = Table(name="wish", row=PersonSetting, shared=SharedWith.STANDBY)
SAME_PERSON = Table(name="same_person", shared=Kind(scope=SharedWith.STANDBY, key=("person",), shared=("human",)))
# An extension may be the person's number. Whoever erases that number signs the person's devices out.
SIGN_IN = Table(
    name="sign_in",
    label=("link or passcode of a person's page", "links and passcodes of people's pages"),
    numbers=("person",),
    shown="SELECT person, kind, made_at, expires_at FROM sign_in",
    kept=Kept(0, "expires_at <= ?"),
    row=SignIn,
)
DEVICE = Table(
    name="device",
    label=("device of a person", "devices of people"),
    numbers=("person",),
    shown=f"SELECT {column_list(Device)} FROM device",
    kept=Kept(0, "expires_at <= ?"),
    row=Device,
)
CONSOLE_USER = Table(name="console_user")
CONSOLE_SESSION = Table(name="console_session")
API_TOKEN = Table(name="api_token")
# A program may use the number as its idempotency key.
API_ANSWER = Table(
    name="api_answer",
    label=("stored answer of the API", "stored answers of the API"),
    about="(has_digits(body) OR has_digits(key))",
    shown="SELECT key, at, status, body FROM api_answer",
    order="at",
    kept=Kept(ANSWER_DAYS, "at <= ?"),
)
PEOPLE = (
    LIST_ENTRY,
    LIST_PREFIX,
    LIST_DIGEST,
    PERSONAL_ENTRY,
    CONTACT,
    IDENTITY,
    PERSON,
    DID,
    EXPECTED_CALL,
    WISH,
    SAME_PERSON,
    SIGN_IN,
    DEVICE,
    CONSOLE_USER,
    CONSOLE_SESSION,
    API_TOKEN,
    API_ANSWER,
)


PUBLIC_APPEAL_DAYS = 7  # of an appeal without effect, which nobody has proven or accepted
CODE_DAYS = 1.0

ATTACHMENT = Table(
    name="attachment",
    label=("attachment of appeals", "attachments of appeals"),
    about="appeal IN (SELECT reference FROM appeal WHERE number = :number)",
    order="appeal, place",
)
PUBLIC_APPEAL = Table(
    name="public_appeal",
    label=("appeal sent to the public page", "appeals sent to the public page"),
    about="reference IN (SELECT reference FROM appeal WHERE number = :number)",
    shown="SELECT reference, filed_at, called_at, cleared FROM public_appeal",
    order="filed_at",
    kept=Kept(
        PUBLIC_APPEAL_DAYS,
        "state = 'open' AND reference IN (SELECT reference FROM public_appeal WHERE filed_at < ?)",
        table="appeal",
    ),
)
APPEAL = Table(
    name="appeal",
    label=("appeal", "appeals"),
    numbers=("number",),
    order="opened_at",
    kept=Kept(AUDIT_DAYS, "coalesce(closed_at, opened_at) < ? AND state <> 'in_force'"),
    row=Appeal,
    shared=Kind(scope=SharedWith.STANDBY, at="opened_at"),
    is_folded=True,
)
CALL_BACK_CODE = Table(
    name="call_back_code",
    label=("code of a call-back", "codes of call-backs"),
    numbers=("number",),
    shown="SELECT about, number, made_at, tries FROM call_back_code",
    kept=Kept(CODE_DAYS, "made_at <= ?"),
)
APPEALS = (ATTACHMENT, PUBLIC_APPEAL, APPEAL, CALL_BACK_CODE)
