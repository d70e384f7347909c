"""Rulings of one site apply at the sites that follow it."""

from __future__ import annotations

import time

import pytest

from callsieve.appeals.operations import AppealRequest, RulingRequest, accept, decide, file
from callsieve.changes.operation import Context
from callsieve.changes.undo import UndoRequest, undo
from callsieve.main.capabilities import CHANGES
from reputation.store.marks import Tombstone, tombstones_of
from reputation.users import Role
from tests.callsieve.hub.sites import CALLER, Site, TestHub

pytestmark = pytest.mark.slow


def context(site: Site) -> Context:
    return Context("ada", Role.ADMINISTRATOR, time.time(), site.loaded, changes=CHANGES)


def witnesses_against(site: Site) -> int:
    """Return the number of witnesses against the number at a site."""
    ((count,),) = site.rows("SELECT coalesce(max(reporters), 0) FROM standing WHERE number = ?", CALLER)
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("ruling", ["uphold", "deny"])
def test_ruling_of_head_office_applies_to_followers(hub: TestHub, ruling: str) -> None:
    head_office, stranger = hub.join("head-office"), hub.join("stranger")
    branch = hub.join("berlin", follow=["head-office"])
    for site in (head_office, branch, stranger):
        site.mark(CALLER, "201", time.time() - 60)
    hub.settle()
    assert (witnesses_against(head_office), witnesses_against(branch), witnesses_against(stranger)) == (3, 3, 3)
    reference = head_office.write(file, context(head_office), AppealRequest(CALLER, "Acme", "a@acme.example")).appeal
    head_office.write(accept, context(head_office), reference.reference)
    hub.settle()
    assert branch.rows("SELECT * FROM appeal") == []  # who appealed, and with what, stays at the desk
    done = head_office.write(decide, context(head_office), RulingRequest(reference.reference, ruling, "it is a bank"))
    hub.settle()
    upheld = ruling == "uphold"
    assert witnesses_against(head_office) == witnesses_against(branch) == (0 if upheld else 3)
    assert witnesses_against(stranger) == (2 if upheld else 3)  # there it covers what people of head office said
    if upheld:
        assert done.change_id is not None
        head_office.write(undo, context(head_office), UndoRequest(done.change_id))
        hub.settle()
        assert (witnesses_against(head_office), witnesses_against(branch), witnesses_against(stranger)) == (3, 3, 3)


def test_mark_after_the_ruling_counts(hub: TestHub) -> None:
    """The ruling covers only marks made before it."""
    head_office = hub.join("head-office")
    branch = hub.join("berlin", follow=["head-office"])
    branch.mark(CALLER, "201", time.time() - 60)
    appeal = head_office.write(file, context(head_office), AppealRequest(CALLER, "Acme", "a@acme.example")).appeal
    head_office.write(accept, context(head_office), appeal.reference)
    head_office.write(decide, context(head_office), RulingRequest(appeal.reference, "uphold", "it is a bank"))
    hub.settle()
    (stone,) = branch.read(tombstones_of, CALLER)
    assert isinstance(stone, Tombstone)
    assert (stone.reporter, witnesses_against(branch)) == ("", 0)
    branch.mark(CALLER, "202", time.time() + 5)
    hub.settle()
    assert witnesses_against(branch) == 1
