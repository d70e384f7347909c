"""What the console's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.users import passwords
from tests.web.browsing import Console, Office
from tests.web.cheap_console import CHEAP


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def console(office: Office) -> Iterator[Console]:
    with office.console() as console:
        yield console


@pytest.fixture(scope="module", autouse=True)
def cheap_hashing() -> Iterator[None]:
    """Without the 50 ms that each look at a password takes on purpose; tests/callsieve/test_cli_users.py has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", CHEAP)
        yield
