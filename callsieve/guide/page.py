"""The page for everybody with a phone (docs/for-users.md) as HTML for printing: one sheet of A4 or Letter paper."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from markdown_it import MarkdownIt

from agi.speech import ENGLISH, MANDARIN

FILE_BY_LANGUAGE = {ENGLISH: "for-users.md", MANDARIN: "for-users.zh.md"}
_OTHER_LANGUAGE = re.compile(r" · \[[^\]]+\]\([^)]+\)$", re.MULTILINE)  # a link, which paper has no use for
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)

PAGE = """\
<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
@page {{ margin: 11mm 15mm }}
body {{ font: 10.5pt/1.4 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111 }}
h1 {{ font-size: 19pt; margin: 0 0 .3rem }}
p {{ margin: .6rem 0 }}
table {{ border-collapse: collapse; width: 100%; margin: .4rem 0 }}
th, td {{ text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #bbb }}
th {{ font-weight: normal; color: #555 }}
td:first-child {{ white-space: nowrap; font-weight: 600 }}
tr {{ break-inside: avoid }}
code {{ font: inherit; font-weight: 700 }}
table.wide td:first-child {{ white-space: normal; width: 27% }}
td:nth-child(3) {{ white-space: nowrap }}
@media print {{
body {{ margin: 0; padding: 0; max-width: none; font-size: 9.6pt; line-height: 1.25 }}
p, table {{ margin: .35rem 0 }}
th, td {{ padding: .12rem .6rem .12rem 0 }}
}}
</style>
{content}
</html>
"""
# Signs are sentences in the first table, and keys and codes in the others.
_FIRST_TABLE = ("<table>", '<table class="wide">')


def guide_text(language: str) -> str:
    """The page as it is written, in Markdown."""
    name = FILE_BY_LANGUAGE[language]
    installed = Path(str(files("callsieve"))) / "guide-for-users" / name
    source = Path(__file__).resolve().parents[2] / "docs" / name
    return (installed if installed.is_file() else source).read_text("utf-8")


def guide_page(language: str) -> str:
    """The page as HTML, whole in itself."""
    text = _OTHER_LANGUAGE.sub("", guide_text(language))
    title = _TITLE.search(text)
    content = MarkdownIt("commonmark").enable("table").render(text).replace(*_FIRST_TABLE, 1)
    return PAGE.format(language=language, title=title[1] if title else "", content=content)
