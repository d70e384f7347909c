"""Berlin has marked a number, and Munich subscribes to Berlin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.callsieve.exchange.companies import Company


@pytest.fixture
def berlin(tmp_path: Path) -> Company:
    company = Company(tmp_path / "berlin", "Berlin Ltd")
    company.mark_as_spam()
    return company


@pytest.fixture
def munich(tmp_path: Path, berlin: Company) -> Company:
    company = Company(tmp_path / "munich", "Munich Ltd")
    company.subscribe_to(berlin)
    return company
