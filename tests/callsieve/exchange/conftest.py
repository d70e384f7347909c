"""Berlin has something against a number; Munich takes what Berlin publishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.callsieve.exchange.companies import Company


@pytest.fixture
def berlin(tmp_path: Path) -> Company:
    company = Company(tmp_path / "berlin", "Berlin Ltd")
    company.accuse()
    return company


@pytest.fixture
def munich(tmp_path: Path, berlin: Company) -> Company:
    company = Company(tmp_path / "munich", "Munich Ltd")
    company.subscribes(berlin)
    return company
