"""What the tests of commands and of the console share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.users import passwords
from tests.callsieve.browsing import Console, Office
from tests.callsieve.cheap_console import CHEAP
from tests.callsieve.program import Program


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """The command line of a new office."""
    return Program(tmp_path)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def console(office: Office) -> Iterator[Console]:
    with office.console() as console:
        yield console


@pytest.fixture(scope="module", autouse=True)
def cheap_hashing() -> Iterator[None]:
    """Without the 50 ms that each look at a password takes on purpose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", CHEAP)
        yield
