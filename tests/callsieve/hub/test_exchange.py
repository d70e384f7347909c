"""What one site says is known at the others, and who wins where two things were said."""

from __future__ import annotations

import time

import pytest

from tests.callsieve.hub.sites import CALLER, TestHub

pytestmark = pytest.mark.slow


def test_a_mark_counts_elsewhere_under_its_site(hub: TestHub) -> None:
    berlin, london = hub.join("berlin"), hub.join("london")
    berlin.mark(CALLER, "201", time.time() - 60, group="sales")
    hub.settle()
    assert london.marks() == {"berlin:201": "spam"}
    assert london.rows("SELECT grp, reason FROM mark") == [("berlin", "")]
    assert london.rows("SELECT reporters FROM standing WHERE number = ?", CALLER) == [(1,)]
    assert berlin.marks() == {"201": "spam"}
    assert berlin.stored() == london.stored() == hub.checksums()
    assert berlin.noted() == london.noted() == hub.checksums()
