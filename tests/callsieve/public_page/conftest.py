from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.appeals import AppealStep
from reputation.store.appeals import all_appeals, take_step
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import add_calls, make_decision
from tests.callsieve.public_page.pages import SETTINGS, Stranger, page_of

REFERENCE = "7KQ2M4XA"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, SETTINGS)


@pytest.fixture
def stranger(office: Office) -> Iterator[Stranger]:
    with page_of(office) as page:
        yield page


@pytest.fixture
def path(stranger: Stranger, office: Office) -> str:
    """Of the status of an appeal that was filed."""
    add_calls(office, make_decision(REFERENCE))
    return stranger.filed(REFERENCE).partition("?")[0]


@pytest.fixture
def accepted(path: str, office: Office) -> str:
    """The same, and somebody has accepted it."""
    (appeal,) = office.read(all_appeals)
    office.write(take_step, appeal.reference, AppealStep.ACCEPT, NOW)
    return path
