"""`callsieve guide`: a page for all phone users, to print and pin up."""

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from markdown_it import MarkdownIt
from markupsafe import Markup

from agi.speech import ENGLISH, MANDARIN
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, check_new, settings_of
from callsieve.prompts.catalogue import PromptError, known_language
from callsieve.system.files import complete_file
from callsieve.web.rendering import document_of

_NOT_SHOWN = re.compile(r"\A---\n.*?\n---\n+|<!--.*?-->\n*", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)")
_PAGE_IN_LINK = re.compile(r"(?:[^:]*/)?([\w.-]+)\.md(?:#.*)?")


def documentation() -> Path:
    """Return the folder with the documentation pages: the installed folder, otherwise docs/ in the source tree."""
    package = Path(str(files("callsieve")))
    installed = package / "docs"
    return installed if installed.is_dir() else package.parent / "docs"


def read_page(path: Path) -> str:
    """Return a page in Markdown, without front matter and comments."""
    return _NOT_SHOWN.sub("", path.read_text("utf-8"))


def page_by_topic() -> dict[str, Path]:
    """Return the file of each page by topic. `callsieve help` takes a topic as argument."""
    return dict(_topics(documentation()))


def _topics(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.md")):
        if path.relative_to(folder).parts[0] != "contributing":
            yield path.parent.name if path.stem == "index" and path.parent != folder else path.stem, path


def text_for_terminal(path: Path) -> str:
    """Return a page in Markdown, with links to other pages replaced by the command that prints them."""

    def linked(link: re.Match[str]) -> str:
        page = _PAGE_IN_LINK.fullmatch(link[3])
        if link[1]:
            return f"(picture: {link[2]})"
        if page and page[1] in topics:
            return f"{link[2]} (callsieve help {page[1]})"
        return link[2] if page or link[3].startswith("#") else f"{link[2]} ({link[3]})"

    topics = page_by_topic()
    return _LINK.sub(linked, read_page(path))


FILE_BY_LANGUAGE = {ENGLISH: "phone.md", MANDARIN: "phone.zh.md"}
_OTHER_LANGUAGE = re.compile(r" · \[[^\]]+\]\([^)]+\)$", re.MULTILINE)  # a link, which paper has no use for
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)

# Signs are sentences in the first table, and keys and codes in the others.
_FIRST_TABLE = ("<table>", '<table class="wide">')


def guide_text(language: str) -> str:
    """Return the guide for phone users in Markdown."""
    return read_page(documentation() / FILE_BY_LANGUAGE[language])


def guide_page(language: str) -> str:
    """Return the guide for phone users as an HTML page without external files."""
    text = _OTHER_LANGUAGE.sub("", guide_text(language))
    title = _TITLE.search(text)
    content = MarkdownIt("commonmark").enable("table").render(text).replace(*_FIRST_TABLE, 1)
    return document_of(
        "guide", "guide.html", language, {"title": title[1] if title else "", "content": Markup(content)}
    )


FILE_MODE = 0o644


def guide(
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            metavar="LANGUAGE",
            help="Language of the guide: en or zh. Default: the language in the settings.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the guide to this file. Default: standard output."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the guide for phone users as HTML: one sheet that any browser can print."""
    try:
        page = guide_page(known_language(language or settings_of(config).settings.display.language))
    except PromptError as error:
        raise CommandError(str(error)) from None
    if out is None:
        sys.stdout.write(page)
        return
    check_new(out)
    with complete_file(out, FILE_MODE) as file:
        file.write(page.encode())
    print(f"{out}: open it in a browser and print it.")
