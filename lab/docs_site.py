"""MkDocs hooks: add CallSieve's version and the date of the last check to each page, and replace links out of docs/."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
LINK = re.compile(r"(?<!!)\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
FOOTER = {"en": "CallSieve {version} · last checked {checked}", "zh": "CallSieve {version} · 最近核对 {checked}"}


def without_links_out(markdown: str, folder: PurePosixPath) -> str:
    """Replace each link to a file outside docs/ by the path of the file, because the site does not contain the file.

    `folder`: the folder of the page, from which links are relative.
    """

    def replaced(link: re.Match[str]) -> str:
        target = os.path.normpath(folder / link[2].partition("#")[0])
        if re.match(r"[a-z]+:", link[2]) or not target.startswith(".."):
            return link[0]
        path = target.replace("../", "", 1)
        return f"`{path}`" if link[1].endswith(PurePosixPath(path).name) else f"{link[1]} (`{path}`)"

    parts = CODE_BLOCK.split(markdown)
    return "".join(part if at % 2 else LINK.sub(replaced, part) for at, part in enumerate(parts))


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the Markdown of a page as the site shows it."""
    folder = PurePosixPath(page.file.src_uri).parent
    text = without_links_out(markdown, folder)
    if folder.name == "decisions" and not page.file.src_uri.endswith("README.md"):
        text += "\n\n[All decisions](README.md)\n"  # these pages are not in the navigation
    if checked := page.meta.get("checked"):
        language = "zh" if page.file.src_uri.endswith(".zh.md") else "en"
        text += f"\n\n---\n\n<small>{FOOTER[language].format(version=VERSION, checked=checked)}</small>\n"
    return text
