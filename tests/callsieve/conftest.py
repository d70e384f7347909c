"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.callsieve.program import Program


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    """The command line of a new office."""
    return Program(tmp_path)
