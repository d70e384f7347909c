"""Debian's Chromium, driven by Playwright. Nothing is downloaded: where there is none, there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, sync_playwright

MISSING = "no Chromium to be had here: apt-get install chromium"
PATIENCE_MS = 30_000.0
# It asks nobody else for anything, and it runs as root in a container.
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
    """Where it is, if it is installed."""
    return shutil.which("chromium")


@contextmanager
def running_chromium(path: str) -> Iterator[Browser]:
    """A browser without a window. Playwright holds the thread's event loop meanwhile: no asyncio beside it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()


def patient(context: BrowserContext) -> BrowserContext:
    """A context that waits as long as a busy machine may need."""
    context.set_default_timeout(PATIENCE_MS)
    return context
