"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

NOBODY = 65534


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Without root's rights: permissions count for nothing to root, and CI is root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield
    if user == 0:
        os.seteuid(user)
