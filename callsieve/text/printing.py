"""Print HTML pages as PDF, with the font inside. Only this module uses WeasyPrint (`callsieve[pdf]`, and Pango).

Pages cannot load anything: no address in them is followed. The same page gives the same bytes.
"""

from __future__ import annotations

import logging
import os
import warnings
from hashlib import sha256
from importlib import import_module
from importlib.resources import as_file, files

FONT = "CallSieveSans"  # callsieve/text/fonts/README.md
# https://doc.courtbouillon.org/weasyprint/stable/first_steps.html#linux
HOW_TO = "pip install 'callsieve[pdf]', and as root apt-get install libpango-1.0-0 libpangoft2-1.0-0"
FACE = "@font-face {{ font-family: {name}; src: url('{address}') }}"


class NoPrinter(Exception):
    """PDF cannot be made here. The text says what to install."""


def printer_trouble() -> str | None:
    """Return why PDF cannot be made here, with what to install; None where it can."""
    try:
        with warnings.catch_warnings():  # it would prefer HarfBuzz-Subset, but works without
            warnings.simplefilter("ignore", DeprecationWarning)
            import_module("weasyprint")
    except (ImportError, OSError):  # OSError: Pango is missing
        return f"a PDF needs WeasyPrint: {HOW_TO}"
    return None


def printed(html: str) -> bytes:
    """Return the page as PDF. Raise NoPrinter."""
    if (trouble := printer_trouble()) is not None:
        raise NoPrinter(trouble)
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # fontTools writes a date into the embedded font
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    weasyprint, urls = import_module("weasyprint"), import_module("weasyprint.urls")
    fonts = import_module("weasyprint.text.fonts").FontConfiguration()
    with as_file(files("callsieve.text") / "fonts" / "NotoSansSC-Regular.ttf") as font:
        face, local = FACE.format(name=FONT, address=font.as_uri()), urls.URLFetcher(allowed_protocols=["file"])
        style = weasyprint.CSS(string=face, font_config=fonts, url_fetcher=local)
        page = weasyprint.HTML(string=html, url_fetcher=urls.URLFetcher(allowed_protocols=[]))
        identifier = sha256(html.encode()).hexdigest()[:32].encode()
        pdf = page.write_pdf(stylesheets=[style], font_config=fonts, pdf_identifier=identifier)
    assert isinstance(pdf, bytes)  # no target was given
    return pdf
