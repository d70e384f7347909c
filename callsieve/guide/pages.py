"""The pages of the documentation that are installed with the program.

They are the pages of docs/ without docs/contributing. pyproject.toml names them, below `force-include`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

_NOT_SHOWN = re.compile(r"\A---\n.*?\n---\n+|<!--.*?-->\n*", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)")
_PAGE_IN_LINK = re.compile(r"(?:[^:]*/)?([\w.-]+)\.md(?:#.*)?")


def documentation() -> Path:
    """Return the folder with the pages: the installed one, or that of a checkout."""
    package = Path(str(files("callsieve")))
    installed = package / "docs"
    return installed if installed.is_dir() else package.parent / "docs"


def read_page(path: Path) -> str:
    """Return a page in Markdown, without its front matter and comments."""
    return _NOT_SHOWN.sub("", path.read_text("utf-8"))


def page_by_topic() -> dict[str, Path]:
    """Return the file of each page by the name that `callsieve help` takes."""
    return dict(_topics(documentation()))


def _topics(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.md")):
        if path.relative_to(folder).parts[0] != "contributing":
            yield path.parent.name if path.stem == "index" and path.parent != folder else path.stem, path


def text_for_terminal(path: Path) -> str:
    """Return a page in Markdown whose links to other pages are the command that prints those."""

    def linked(link: re.Match[str]) -> str:
        page = _PAGE_IN_LINK.fullmatch(link[3])
        if link[1]:
            return f"(picture: {link[2]})"
        if page and page[1] in topics:
            return f"{link[2]} (callsieve help {page[1]})"
        return link[2] if page or link[3].startswith("#") else f"{link[2]} ({link[3]})"

    topics = page_by_topic()
    return _LINK.sub(linked, read_page(path))
