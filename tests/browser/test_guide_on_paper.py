"""The printed guide for people with a phone."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfReader

from callsieve.guide.cli.commands import guide_page
from tests.browser.chromium import running_chromium


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_guide_prints_on_one_sheet(chromium: str, language: str, paper: str) -> None:
    with running_chromium(chromium) as browser:
        page = browser.new_page()
        page.set_content(guide_page(language))
        printed = page.pdf(format=paper, prefer_css_page_size=False)
    assert len(PdfReader(io.BytesIO(printed)).pages) == 1
