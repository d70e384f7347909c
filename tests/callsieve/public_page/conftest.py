from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callsieve.browsing import Office
from tests.callsieve.public_page.pages import SETTINGS, Stranger, page_of


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, SETTINGS)


@pytest.fixture
def stranger(office: Office) -> Iterator[Stranger]:
    with page_of(office) as page:
        yield page
