"""Shared by the tests in a browser."""

from __future__ import annotations

import pytest

from tests.browser.chromium import MISSING, PATIENCE_MS, chromium_path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    from playwright.sync_api import expect

    path = chromium_path()
    assert path is not None, MISSING
    expect.set_options(timeout=PATIENCE_MS)
    return path
