"""Operations that activate a policy: an existing policy, or a new text, which is stored as the next version."""

import sqlite3
from contextlib import suppress
from typing import Annotated, NamedTuple

import msgspec

from callsieve import policy_selection
from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind, put_row_back
from callsieve.policy.catalogue import running_or_settings
from callsieve.policy.central import emit_in_force
from callsieve.policy.records import (
    NOTE_CHARACTERS,
    Note,
    PolicyName,
    PolicyText,
    add_version,
    as_typed,
    digest_of,
    draft_of,
    drop_draft,
    usable,
    writing,
)
from callsieve.replay.trial import draft_of as policy_of_draft
from callsieve.site_policies import SiteVersion, accepted_version, go_back, take_out
from callsieve.text.times import when
from callsieve.wiring import policies_of
from policies.loader import load_policy
from policies.policy import Policy, PolicyError
from reputation.encoding import HIDDEN, encoded, parse_plain
from reputation.store.audit import StoredRow
from reputation.store.site import PublishedPolicy
from reputation.wording import Wording


class DraftRequest(NamedTuple):
    """A request to activate a user's draft.

    `digest`: the digest of the text that the user has seen. `typed`: the text in the form; None without a form.
    """

    user: str
    digest: str
    note: str = ""
    typed: str | None = None


class TextRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as text. `note`: a description of what is new."""

    text: PolicyText
    note: Note = ""


class PolicyActivated(NamedTuple):
    """An activated policy, in effect within two seconds. `policy`: the name of the policy or of the new version."""

    change_id: ChangeId | None
    active: Annotated[Policy, HIDDEN]
    policy: str

    @property
    @encoded
    def observe(self) -> bool:
        """Whether the policy only observes, so that no call is changed."""
        return self.active.observe


def activate(db: sqlite3.Connection, context: Context, name: PolicyName) -> PolicyActivated:
    """Activate a policy for the PBX: a preset, a version or a file. An empty name means the policy in the settings.

    The change takes effect within two seconds. If the policy is active already, a daemon that runs with older settings
    loads it again.
    """
    loaded = context.loaded
    policy = usable(lambda: load_policy(name or loaded.settings.policy.name, loaded.policy_directories), name)
    with change(db, context, "policy activate", name=policy.name) as changed:
        changed.before, changed.after = {"policy": running_or_settings(loaded)}, {"policy": policy.name}
        with writing(loaded):
            policy_selection.activate(loaded, policy.name)
        if changed.before != changed.after:
            emit_in_force(db, context, policy.name, str(changed.before["policy"]))
    return PolicyActivated(changed.id, policy, policy.name)


def activate_text(db: sqlite3.Connection, context: Context, request: TextRequest) -> PolicyActivated:
    """Store a policy text as the next version, such as `console-7`, and activate it."""
    loaded = context.loaded
    text = usable(lambda: as_typed(request.text))
    policy = usable(lambda: policy_of_draft(text, loaded))
    with change(db, context, "policy activate") as changed, writing(loaded):
        changed.name = add_version(loaded, text, context.user or context.actor, when(context.at), request.note)
        note = request.note.strip()[:NOTE_CHARACTERS]
        changed.before, changed.after = {"policy": running_or_settings(loaded)}, {"policy": changed.name, "note": note}
        policy_selection.activate(loaded, changed.name)
        emit_in_force(db, context, changed.name, str(changed.before["policy"]))
    return PolicyActivated(changed.id, policy, changed.name)


def activate_draft(db: sqlite3.Connection, context: Context, request: DraftRequest) -> PolicyActivated:
    """Store a user's draft as the next version, such as `console-7`, activate it, and discard the draft."""
    loaded, text = context.loaded, draft_of(context.loaded, request.user)
    if text is None:
        raise Refused("no-draft", Wording("You have no draft. Start a draft first."))
    if digest_of(text) != request.digest or request.typed not in (None, text):
        words = "The draft has changed since it was tried or shown. Read it again, then activate it."
        raise Refused("draft-changed", Wording(words))
    activated = activate_text(db, context, TextRequest(text, request.note))
    drop_draft(loaded, request.user)
    return activated


# Undo of changes.


IN_FORCE = Wording(
    "The acceptance cannot be undone, because the policy is active and has no earlier accepted version: "
    "activate another policy first."
)
BEFORE_LAST = Wording("Only the last acceptance can be undone: older versions are not kept.")


def _running(context: Context) -> str | None:
    try:
        return policy_selection.running_name(context.loaded)
    except PolicyError:
        return None


def _activate(db: sqlite3.Connection, context: Context, name: str) -> None:
    before = _running(context) or ""
    try:
        load_policy(name, context.loaded.policy_directories)
        policy_selection.activate(context.loaded, name)
        emit_in_force(db, context, name, before)
    except PolicyError as error:
        raise Refused("unusable-policy", error.words) from None
    except OSError as error:
        raise Refused("unusable-policy", str(error)) from None


def _published(db: sqlite3.Connection, row: StoredRow) -> StoredRow | None:
    """Return the current row, but with the publication time of `row`.

    The hub sets this time, so a different time does not mean that somebody changed the row.
    """
    current = row.read(db)
    return current and current._replace(record=current.record._replace(published_at=row.record.published_at))


def _is_in_force(context: Context, name: str) -> bool:
    policies = policies_of(context.loaded)
    return any(name in policy.chain for policy in (policies.default, *(scope.policy for scope in policies.scopes)))


def _go_back(db: sqlite3.Connection, context: Context, version: SiteVersion) -> None:
    with writing(context.loaded):
        is_back = go_back(context.loaded, version)
    if not is_back:
        raise Refused("cannot-undo", BEFORE_LAST)
    with suppress(PolicyError):
        if _is_in_force(context, version.name):
            emit_in_force(db, context, version.name, version.name)


def _take_out(context: Context, version: SiteVersion) -> None:
    try:
        if _is_in_force(context, version.name):
            raise Refused("in-force", IN_FORCE)
    except PolicyError as error:
        raise Refused("unusable-policy", error.words) from None
    with writing(context.loaded):
        take_out(context.loaded, version.name)


ACTIVE = UndoKind(
    lambda _db, _row, value: str(value["policy"]),
    lambda _db, context, _: _running(context),
    lambda *_: None,  # the earlier policy replaces the version
    lambda db, context, name: _activate(db, context, name),
)
PUBLISHED = put_row_back("published_policy", PublishedPolicy)._replace(current=lambda db, _, row: _published(db, row))
ACCEPTED = UndoKind(
    lambda _db, _row, value: parse_plain(value, SiteVersion),
    lambda _db, context, version: accepted_version(context.loaded, version.name),
    lambda _db, context, version: _take_out(context, version),
    lambda db, context, version: _go_back(db, context, version),
    replaces=True,
)
