"""Lying companies never lead beyond a tag, and RESULTS.md has the table."""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.lying_peers import KINDS, LIARS, OF_KIND, measured, sheet_of
from benchmarks.accuracy.tables import PAGE, markdown
from policies.decision import Action


def test_lying_companies_never_lead_beyond_a_tag(tmp_path: Path) -> None:
    found = measured(tmp_path)
    for place, kind in enumerate(KINDS):
        [(alone, count)] = found[0][place].items()
        assert count == OF_KIND
        for liars in LIARS[1:]:
            [(action, _)] = found[liars][place].items()
            assert action in (alone, max(Action[alone.upper()], Action.TAG).word), (kind.what, liars)
    assert markdown(sheet_of(found)) in PAGE.read_text()
