"""Putting policies in force: what is refused, by its code, and that nothing changes then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.changes.undo import UndoRequest, undo
from callsieve.main.capabilities import CHANGES
from callsieve.policy.operations import DraftRequest, activate, activate_draft
from callsieve.policy.records import digest_of, draft_of, keep_draft
from callsieve.policy_selection import running_name
from reputation.store.audit import audit_rows
from reputation.users import Role
from tests.office import Office

NOW = 1_800_000_000.0
DRAFT = 'extends = "strict"\n'


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def context(office: Office) -> Context:
    return Context("ada (console)", Role.ADMINISTRATOR, NOW, office.load(), changes=CHANGES)


def code_of(office: Office, context: Context, request: DraftRequest) -> str:
    with pytest.raises(Refused) as refused:
        office.write(activate_draft, context, request)
    return refused.value.code


def test_draft_changed_since_it_was_shown_is_refused(office: Office, context: Context) -> None:
    assert code_of(office, context, DraftRequest("ada", "")) == "no-draft"
    keep_draft(context.loaded, "ada", DRAFT)
    assert code_of(office, context, DraftRequest("ada", "")) == "draft-changed"
    assert code_of(office, context, DraftRequest("ada", digest_of(DRAFT), typed="")) == "draft-changed"
    keep_draft(context.loaded, "ada", "extends = 7\n")
    assert code_of(office, context, DraftRequest("ada", digest_of("extends = 7\n"))) == "unusable-policy"
    assert running_name(context.loaded) == "cautious"
    assert office.read(audit_rows) == []


def test_activated_draft_is_discarded_and_can_be_undone(office: Office, context: Context) -> None:
    keep_draft(context.loaded, "ada", DRAFT)
    done = office.write(activate_draft, context, DraftRequest("ada", digest_of(DRAFT), "tried"))
    assert (running_name(context.loaded), draft_of(context.loaded, "ada")) == ("console-1", None)
    assert done.change_id is not None
    office.write(undo, context, UndoRequest(done.change_id))
    assert running_name(context.loaded) == "cautious"


def test_only_administrators_undo_an_activation(office: Office, context: Context) -> None:
    done = office.write(activate, context, "strict")
    assert done.change_id is not None
    with pytest.raises(Refused) as refused:
        office.write(undo, replace(context, role=Role.OPERATOR), UndoRequest(done.change_id))
    assert refused.value.code == "administrators-only"
    assert running_name(context.loaded) == "strict"


def test_activation_without_write_access_is_refused(office: Office, context: Context) -> None:
    context.loaded.state.mkdir(parents=True, exist_ok=True)
    (context.loaded.state / "policies").write_text("")  # a file in the place of the directory
    for operation, request in ((activate, "strict"), (activate, "")):
        with pytest.raises(Refused) as refused:
            office.write(operation, context, request)
        assert refused.value.code == "cannot-write"
    assert office.read(audit_rows) == []


def test_undo_does_not_restore_a_deleted_policy(office: Office, context: Context) -> None:
    folder = context.loaded.state / "policies"
    folder.mkdir(parents=True)
    (folder / "office.toml").write_text(DRAFT)
    for name in ("office", "strict"):
        done = office.write(activate, context, name)
    (folder / "office.toml").unlink()
    assert done.change_id is not None
    with pytest.raises(Refused) as refused:
        office.write(undo, context, UndoRequest(done.change_id))
    assert refused.value.code == "unusable-policy"
    assert running_name(context.loaded) == "strict"
