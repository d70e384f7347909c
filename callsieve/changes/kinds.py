"""How each kind of change is undone: what the audit keeps of it, what stands there now, and what puts it back.

KIND_BY_WHAT["list add"].put_back(db, context, entry)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import msgspec

from callsieve import plan_files
from callsieve.changes.names import (
    ACCEPTED,
    ACTIVATION,
    APPEALS,
    CLEARED,
    COMPLAINTS,
    CONSENTS,
    CORRECTIONS,
    EXCHANGE,
    EXPECTED,
    IDENTITIES,
    LISTS,
    LOOKS,
    LOOKUPS,
    MARKS,
    OWNERS,
    PEOPLE,
    PLANS,
    PUBLISHED,
    REGISTER,
    REVIEWS,
    SITE_PEOPLE,
    SITES,
    SUBSCRIPTIONS,
    TOKENS,
    WINDOW,
    WISHES,
)
from callsieve.changes.operation import Context, Refused
from callsieve.changes.policy_event import tell_in_force
from callsieve.plan_files import PlanVersion
from callsieve.policy_selection import activate, running_name
from callsieve.site_policies import SiteVersion, go_back, take_out, version_there
from callsieve.wiring import policies_of
from policies.loader import load_policy
from policies.policy import PolicyError
from reputation.api_tokens import ApiToken
from reputation.appeals import Appeal, AppealError
from reputation.marking import say_again, undo_mark
from reputation.model import Did, Identity, ListEntry, Mark, Person
from reputation.own.register import OwnNumber
from reputation.plan.loader import PlanError
from reputation.store.api_tokens import remove_token, token_of
from reputation.store.appeals import appeal_of
from reputation.store.appeals import put_back as put_back_appeal
from reputation.store.audit import AuditRow
from reputation.store.consents import Consent, consent_of, put_consent, remove_consent
from reputation.store.do_not_call import (
    Complaint,
    DoNotCall,
    add_complaint,
    add_do_not_call,
    complaint_of,
    do_not_call_of,
    remove_complaint,
    remove_do_not_call,
)
from reputation.store.emergencies import close_window, opened_and_closed_at, reopen_window
from reputation.store.evidence_rows import marks_of
from reputation.store.identities import identity_of, remove_identity, set_identity
from reputation.store.lists import add_entry, entry_there, remove_entry
from reputation.store.lookups import SourceState, source_state
from reputation.store.lookups import put_back as put_source_back
from reputation.store.other_sites import Ignored, heed_site, ignore_site, ignored_of, names_of, set_names
from reputation.store.own_labels import Look, look_at, put_look, remove_look
from reputation.store.own_register import own_of, put_own, remove_own
from reputation.store.own_screenshots import remove_screenshot
from reputation.store.ownership import Epoch, epochs_of, lower_epoch, raise_epoch
from reputation.store.peers import SwitchedPeer, put_peer_back, switched_peer
from reputation.store.people import remove_did, remove_person, upsert_dids, upsert_people
from reputation.store.personal_lists import (
    ExpectedCall,
    PersonalEntry,
    expect_call,
    expected_call_of,
    personal_entries,
    remove_personal_entry,
    set_personal_entry,
    stop_expecting,
)
from reputation.store.published_policies import PublishedPolicy, published, put_published, remove_published
from reputation.store.reviews import (
    Correction,
    Review,
    correct,
    correction_of,
    forget_review,
    review,
    review_of,
    undo_correction,
)
from reputation.store.sources import From, did_from, person_from
from reputation.store.subscriptions import Subscription, put_subscription, remove_subscription, subscription_of
from reputation.store.users import all_users, remove_user, set_role, user_of
from reputation.users import ROLE_BY_WORD, Role, is_last_administrator
from reputation.wording import Wording

W = TypeVar("W", DoNotCall, Complaint)

# What an older version did not keep of a wish or a complaint: put back, it does not count.
SETTLED = {"is_of_called": False}
SAME = " = "  # between the names of one human, in the audit
ONESELF = Wording("Another administrator does that: nobody takes the console away from themselves.")
IN_FORCE = Wording("It is in force, and nothing was accepted before it: put another policy in force first.")
BEFORE_LAST = Wording("Only what was accepted last can be undone: what was there before is not kept.")
LAST_ADMINISTRATOR = Wording("This is the last administrator: make another one first.")


class UndoKind(NamedTuple):
    """Something that is changed. `read`: it, from a row of the audit and one side of that.

    `there`: what stands now where the one given stood, or would stand; None: nothing. `put_back` replaces what is
    there where `remove` cannot. `replaces`: it does so always, and nothing is removed before: of files no transaction
    brings back what was removed when `put_back` refuses.
    """

    read: Callable[[AuditRow, dict[str, Any]], Any]
    there: Callable[[sqlite3.Connection, Context, Any], Any]
    remove: Callable[[sqlite3.Connection, Context, Any], object]
    put_back: Callable[[sqlite3.Connection, Context, Any], object]
    replaces: bool = False


class UserRole(NamedTuple):
    """A user of the console, by name."""

    name: str
    role: Role


def kept_in_audit(token: ApiToken) -> dict[str, Any]:
    """A token as a row of the audit has it: without what proves it."""
    return {**msgspec.to_builtins(token), "role": token.role.word}


def give_role(db: sqlite3.Connection, context: Context, user: UserRole) -> None:
    """Another role. Refused when nobody would be left who could let anybody in."""
    check_other(context, user.name)
    if user.role < Role.ADMINISTRATOR:
        _keep_an_administrator(db, user.name)
    set_role(db, user.name, user.role)


def take_away(db: sqlite3.Connection, context: Context, name: str) -> None:
    """Removes the user. Refused where they must stay."""
    check_other(context, name)
    check_may_go(db, name)
    remove_user(db, name)


def check_other(context: Context, name: str) -> None:
    """Refused for who asks."""
    if name == context.user:
        raise Refused("oneself", ONESELF)


def check_may_go(db: sqlite3.Connection, name: str) -> None:
    """Refused for the last administrator, unless nobody else is left behind."""
    if len(all_users(db)) > 1:
        _keep_an_administrator(db, name)


def _forget_look(db: sqlite3.Connection, look: Look) -> None:
    """With its picture, which does not come back when this is undone: of a wrong one nothing is to stay."""
    remove_look(db, look)
    remove_screenshot(db, look)


def _keep_an_administrator(db: sqlite3.Connection, name: str) -> None:
    user = user_of(db, name)
    if user is not None and is_last_administrator(user, all_users(db)):
        raise Refused("last-administrator", LAST_ADMINISTRATOR)


def _role_of(db: sqlite3.Connection, name: str) -> UserRole | None:
    user = user_of(db, name)
    return UserRole(name, user.role) if user else None


def _running(context: Context) -> str | None:
    """The policy in force; None where that cannot be told."""
    try:
        return running_name(context.loaded)
    except PolicyError:
        return None


def _activate(db: sqlite3.Connection, context: Context, name: str) -> None:
    """Puts the policy in force again, if it can still be used."""
    before = _running(context) or ""
    try:
        load_policy(name, context.loaded.policy_directories)
        activate(context.loaded, name)
        tell_in_force(db, context, name, before)
    except (PolicyError, OSError) as error:
        raise Refused("unusable-policy", str(error)) from None


def _published_there(db: sqlite3.Connection, policy: PublishedPolicy) -> PublishedPolicy | None:
    """What is published where the one given was; the hub may have dated it otherwise, which is no change."""
    found = published(db, policy.name)
    return found and found._replace(published_at=policy.published_at)


def _is_in_force(context: Context, name: str) -> bool:
    """Whether it is, or a policy that builds on it. PolicyError."""
    policies = policies_of(context.loaded)
    return any(name in one.chain for one in (policies.default, *(scope.policy for scope in policies.scopes)))


def _go_back(db: sqlite3.Connection, context: Context, version: SiteVersion) -> None:
    with _writing_files():
        is_back = go_back(context.loaded, version)
    if not is_back:
        raise Refused("cannot-undo", BEFORE_LAST)
    with suppress(PolicyError):
        if _is_in_force(context, version.name):
            tell_in_force(db, context, version.name, version.name)


def _take_policy_out(context: Context, version: SiteVersion) -> None:
    try:
        if _is_in_force(context, version.name):
            raise Refused("in-force", IN_FORCE)
    except PolicyError as error:
        raise Refused("unusable-policy", str(error)) from None
    with _writing_files():
        take_out(context.loaded, version.name)


@contextmanager
def _writing_files() -> Iterator[None]:
    """Inside, a file that cannot be written is Refused."""
    try:
        yield
    except OSError as error:
        raise Refused("cannot-write", f"{error.filename}: {error.strerror}") from None


def _plan_there(context: Context, version: PlanVersion) -> PlanVersion | None:
    """What is in force where the version given stood."""
    with _writing_plans():
        return plan_files.version_there(context.loaded, version.file)


def _take_plan_out(context: Context, version: PlanVersion) -> None:
    with _writing_plans():
        plan_files.take_out(context.loaded, version.file)


def _put_plan_back(context: Context, version: PlanVersion) -> None:
    with _writing_plans():
        plan_files.put_back(context.loaded, version)


@contextmanager
def _writing_plans() -> Iterator[None]:
    """Inside, a file that cannot be read or written is Refused."""
    try:
        with _writing_files():
            yield
    except PlanError as error:
        raise Refused("unusable-plan", str(error)) from None


def put_back(db: sqlite3.Connection, appeal: Appeal) -> None:
    """The appeal as it was. Refused while the number has another one."""
    try:
        put_back_appeal(db, appeal)
    except AppealError as error:
        raise Refused(error.code, error.words) from None


def _did_of(value: dict[str, Any]) -> Did:
    """A DID as kept; of an older version it had one group."""
    old = value.get("group")
    return msgspec.convert({**value, "groups": value.get("groups", [old] if old else [])}, Did)


def _groups(people: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The names of each human, once."""
    return tuple(sorted({tuple(names) for names in people}))


def _set_groups(db: sqlite3.Connection, groups: tuple[tuple[str, ...], ...]) -> None:
    for names in groups:
        set_names(db, names)


def _as_settled(found: W | None, one: W) -> W | None:
    """What stands there; whether it counts is settled once, so it is no change."""
    return found and found._replace(is_of_called=one.is_of_called)


def _last_word(db: sqlite3.Connection, mark: Mark) -> Mark | None:
    """The person's mark of this class; a retraction where something else was said before is one, too."""
    said = (one for one in marks_of(db, mark.number) if one.reporter == mark.reporter)
    return next((one for one in said if one.auth_class is mark.auth_class), None)


ENTRY = UndoKind(
    lambda _row, value: msgspec.convert(value, ListEntry),
    lambda db, _, entry: entry_there(db, entry),
    lambda db, _, entry: remove_entry(db, entry),
    lambda db, _, entry: add_entry(db, entry),
)
PERSONAL = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in PersonalEntry._fields], PersonalEntry),
    lambda db, _, entry: next((one for one in personal_entries(db, entry.person) if one.number == entry.number), None),
    lambda db, _, entry: remove_personal_entry(db, entry.person, entry.number),
    lambda db, _, entry: set_personal_entry(db, entry),
)
IDENTITY = UndoKind(
    lambda _row, value: msgspec.convert({**value, "note": value["note"]}, Identity),  # none goes without its proof
    lambda db, _, identity: identity_of(db, identity.number),
    lambda db, _, identity: remove_identity(db, identity.number),
    lambda db, context, identity: set_identity(db, identity, context.at),
)
OWN_NUMBER = UndoKind(
    lambda _row, value: msgspec.convert(value, OwnNumber),
    lambda db, _, own: own_of(db, own.number),
    lambda db, _, own: remove_own(db, own.number),
    lambda db, _, own: put_own(db, own),
)
WISH = UndoKind(
    lambda _row, value: msgspec.convert([(SETTLED | value)[field] for field in DoNotCall._fields], DoNotCall),
    lambda db, _, wish: _as_settled(do_not_call_of(db, wish.number), wish),
    lambda db, _, wish: remove_do_not_call(db, wish.number),
    lambda db, _, wish: add_do_not_call(db, wish),
)
CONSENT = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Consent._fields], Consent),
    lambda db, _, consent: consent_of(db, consent.number),
    lambda db, _, consent: remove_consent(db, consent.number),
    lambda db, _, consent: put_consent(db, consent),
)
COMPLAINT = UndoKind(
    lambda row, value: msgspec.convert(
        [row.number, *((SETTLED | value)[key] for key in ("from", "at", "note", "is_of_called"))], Complaint
    ),
    lambda db, _, one: _as_settled(complaint_of(db, one.own_number, one.number, one.at), one),
    lambda db, _, one: remove_complaint(db, one.own_number, one.number, one.at),
    lambda db, _, one: add_complaint(db, one),
)
LOOK = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Look._fields], Look),
    lambda db, _, look: look_at(db, look),
    lambda db, _, look: _forget_look(db, look),
    lambda db, _, look: put_look(db, look),
)
MARK = UndoKind(
    lambda _row, value: msgspec.convert(value, Mark),
    lambda db, _, mark: _last_word(db, mark),
    lambda db, _, mark: undo_mark(db, mark),
    lambda db, context, mark: say_again(db, mark, context.at),
)
REVIEW = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Review._fields], Review),
    lambda db, _, one: review_of(db, one.number),
    lambda db, _, one: forget_review(db, one.number),
    lambda db, _, one: review(db, *one),
)
CORRECTION = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Correction._fields], Correction),
    lambda db, _, one: correction_of(db, one.case_id),
    lambda db, _, one: undo_correction(db, one.case_id),
    lambda db, context, one: correct(db, one, context.at),
)
OWNER = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Epoch._fields], Epoch),
    lambda db, _, epoch: next((one for one in epochs_of(db, epoch.number)[:1] if one.at >= epoch.at), None),
    lambda db, _, epoch: lower_epoch(db, epoch.number),
    lambda db, _, epoch: raise_epoch(db, epoch.number, epoch.at, epoch.reason, epoch.who),
)
PERSON = UndoKind(
    lambda _row, value: From(msgspec.convert(value, Person), value["source"]),
    lambda db, _, one: person_from(db, one.one.extension),
    lambda db, _, one: remove_person(db, one.one.extension),
    lambda db, _, one: upsert_people(db, [one.one], one.source),
)
DID = UndoKind(
    lambda _row, value: From(_did_of(value), value["source"]),
    lambda db, _, one: did_from(db, one.one.number),
    lambda db, _, one: remove_did(db, one.one.number),
    lambda db, _, one: upsert_dids(db, [one.one], one.source),
)
USER = UndoKind(
    lambda row, value: UserRole(row.name, ROLE_BY_WORD[value["role"]]),
    lambda db, _, user: _role_of(db, user.name),
    lambda db, context, user: take_away(db, context, user.name),
    lambda db, context, user: give_role(db, context, user),
)
TOKEN = UndoKind(
    lambda _row, value: msgspec.convert({**value, "role": ROLE_BY_WORD[value["role"]]}, ApiToken),
    lambda db, _, token: (kept := token_of(db, token.name)) and kept.token,
    lambda db, _, token: remove_token(db, token.name),
    lambda *_: None,  # nobody has its secret any more
)
APPEAL = UndoKind(
    lambda _row, value: msgspec.convert(value, Appeal),
    lambda db, _, appeal: appeal_of(db, appeal.reference),
    lambda *_: None,  # what it was takes its place
    lambda db, _, appeal: put_back(db, appeal),
)
# What is open, by the instant of the emergency call: closed again, or open again for as long as it would have been.
EMERGENCY_WINDOW = UndoKind(
    lambda _row, value: float(value["opened_at"]),
    lambda db, context, _: opened_and_closed_at(db, context.at)[0],
    lambda db, context, _: close_window(db, context.at),
    lambda db, _, opened_at: reopen_window(db, opened_at),
)
POLICY = UndoKind(
    lambda _row, value: str(value["policy"]),
    lambda _db, context, _: _running(context),
    lambda *_: None,  # the one before takes its place
    lambda db, context, name: _activate(db, context, name),
)
PUBLISHED_POLICY = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in PublishedPolicy._fields], PublishedPolicy),
    lambda db, _, policy: _published_there(db, policy),
    lambda db, _, policy: remove_published(db, policy.name),
    lambda db, _, policy: put_published(db, policy),
)
SITE_POLICY = UndoKind(
    lambda row, value: SiteVersion(row.name, str(value["digest"])),
    lambda _db, context, version: version_there(context.loaded, version.name),
    lambda _db, context, version: _take_policy_out(context, version),
    lambda db, context, version: _go_back(db, context, version),
    replaces=True,
)
PLAN = UndoKind(
    lambda _row, value: PlanVersion(str(value["file"]), str(value["digest"])),
    lambda _db, context, version: _plan_there(context, version),
    lambda _db, context, version: _take_plan_out(context, version),
    lambda _db, context, version: _put_plan_back(context, version),
    replaces=True,
)
LOOKUP = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in SourceState._fields], SourceState),
    lambda db, _, state: source_state(db, state.name),
    lambda *_: None,  # what it was takes its place
    lambda db, _, state: put_source_back(db, state),
)
OFF_PEER = UndoKind(
    lambda _row, value: msgspec.convert(value, SwitchedPeer),
    lambda db, _, switched: switched_peer(db, switched.name),
    lambda *_: None,  # what it was takes its place
    lambda db, _, switched: put_peer_back(db, switched),
    replaces=True,
)
SUBSCRIPTION = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Subscription._fields], Subscription),
    lambda db, _, one: subscription_of(db, one.name),
    lambda db, _, one: remove_subscription(db, one.name),
    lambda db, _, one: put_subscription(db, one),
)
SITE_PERSON = UndoKind(
    lambda _row, value: _groups(names.split(SAME) for names in value["people"]),
    lambda db, _, groups: _groups(names_of(db, name) for names in groups for name in names),
    lambda *_: None,  # who they were takes its place
    lambda db, _, groups: _set_groups(db, groups),
)
SITE = UndoKind(
    lambda _row, value: msgspec.convert([value[field] for field in Ignored._fields], Ignored),
    lambda db, _, ignored: next((one for one in ignored_of(db) if one.site == ignored.site), None),
    lambda db, _, ignored: heed_site(db, ignored.site),
    lambda db, _, ignored: ignore_site(db, ignored),
)
EXPECTED_CALL = UndoKind(
    lambda _row, value: ExpectedCall(value["person"], value["until"]),
    lambda db, _, window: expected_call_of(db, window.person),
    lambda db, _, window: stop_expecting(db, window.person),
    lambda db, _, window: expect_call(db, *window),
)
KIND_BY_WHAT = {
    **dict.fromkeys(LISTS, ENTRY),
    **dict.fromkeys(IDENTITIES, IDENTITY),
    **dict.fromkeys(REGISTER, OWN_NUMBER),
    **dict.fromkeys(WISHES, WISH),
    **dict.fromkeys(CONSENTS, CONSENT),
    **dict.fromkeys(COMPLAINTS, COMPLAINT),
    **dict.fromkeys(LOOKS, LOOK),
    **dict.fromkeys(MARKS, MARK),
    **dict.fromkeys(REVIEWS, REVIEW),
    **dict.fromkeys(CORRECTIONS, CORRECTION),
    **dict.fromkeys(OWNERS, OWNER),
    **dict.fromkeys(PEOPLE, PERSON),
    **dict.fromkeys(ACTIVATION, POLICY),
    **dict.fromkeys(PUBLISHED, PUBLISHED_POLICY),
    **dict.fromkeys(ACCEPTED, SITE_POLICY),
    **dict.fromkeys(APPEALS, APPEAL),
    **dict.fromkeys(CLEARED, ENTRY),  # what was removed with it
    **dict.fromkeys(TOKENS, TOKEN),
    **dict.fromkeys(WINDOW, EMERGENCY_WINDOW),
    **dict.fromkeys(PLANS, PLAN),
    **dict.fromkeys(LOOKUPS, LOOKUP),
    **dict.fromkeys(EXCHANGE, OFF_PEER),
    **dict.fromkeys(SUBSCRIPTIONS, SUBSCRIPTION),
    **dict.fromkeys(SITE_PEOPLE, SITE_PERSON),
    **dict.fromkeys(SITES, SITE),
    **dict.fromkeys(EXPECTED, EXPECTED_CALL),
    "user add": USER,
    "user role": USER._replace(remove=lambda *_: None),
}


def kind_of(row: AuditRow, value: dict[str, Any]) -> UndoKind:
    """What the row is about. People's own lists are changed by the same commands as the administrator's."""
    kind = KIND_BY_WHAT[row.what]
    if kind is PERSON and "screen" in value:
        return DID
    return PERSONAL if kind is ENTRY and "person" in value else kind
