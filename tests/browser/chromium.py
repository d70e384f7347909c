"""Debian's Chromium, installed or fetched by the lab, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from lab.tools import library_path, tools_root

MISSING = "there is no chromium here: python -m lab fetch --tools"
PATIENCE_MS = 60_000.0
# It sends no other requests, and it runs as root in a container.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str | None:
    """Return the path of Chromium, if it is on PATH."""
    return shutil.which("chromium")


@contextmanager
def running_chromium(path: str) -> Iterator[Browser]:
    """Yield a browser without a window.

    Playwright holds the thread's event loop meanwhile, so use no asyncio beside it.
    """
    # Its Node.js needs a library that a bare Debian does not have.
    with patch.dict(os.environ, LD_LIBRARY_PATH=library_path(tools_root())):
        playwright = sync_playwright().start()
    try:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        playwright.stop()


def patient(context: BrowserContext) -> BrowserContext:
    """Return a context that waits as long as a busy machine may need."""
    context.set_default_timeout(PATIENCE_MS)
    return context
