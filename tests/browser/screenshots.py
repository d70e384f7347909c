"""`python -m tests.browser.screenshots FOLDER`: a picture of every page, in both languages, widths and themes.

With `docs` in the place of FOLDER: the pictures of the documentation, in docs/images.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.progress import track

from callsieve.web.i18n import LANGUAGES
from lab.tools import use_fetched_tools
from tests.browser.chromium import MISSING, chromium_path, running_chromium
from tests.browser.looking import NAMES, looking, open_shown, token_of
from tests.browser.office import make_office
from tests.browser.serving import serving, web_settings
from tests.callsieve.browsing import SETTINGS

# The narrow pictures are dark, the wide ones light: each page in both.
LOOKS = ((360, "dark"), (1920, "light"))
DOCS = Path(__file__).resolve().parents[2] / "docs" / "images"
DOCS_WIDTH = 1100
# The pictures of the documentation and the pages that they show, as far as a window shows them.
DOCS_PICTURES = {"console-today": "today", "console-calls": "calls", "console-rules": "policies", "console-own": "own"}


def main(folder: Path, *, for_docs: bool = False) -> int:
    """Writes them, one file a page and look, or those of the documentation."""
    use_fetched_tools()
    path = chromium_path()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    table, url = web_settings()
    with tempfile.TemporaryDirectory() as state:
        office = make_office(Path(state), SETTINGS + table)
        token = token_of(office, "ada")
        with serving(url, office.config, office.state), running_chromium(path) as browser:
            for picture, name in DOCS_PICTURES.items() if for_docs else ():
                with looking(browser, url, token, language="en", theme="light", width=DOCS_WIDTH) as page:
                    open_shown(page, name)
                    page.screenshot(path=folder / f"{picture}.png")
            for name in track(() if for_docs else NAMES, "pages"):
                for language in LANGUAGES:
                    for width, theme in LOOKS:
                        who = None if name == "login" else token
                        with looking(browser, url, who, language=language, theme=theme, width=width) as page:
                            open_shown(page, name)
                            page.screenshot(path=folder / f"{name}-{language}-{width}.png", full_page=True)
    return 0


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else "screenshots"
    sys.exit(main(DOCS, for_docs=True) if wanted == "docs" else main(Path(wanted)))
