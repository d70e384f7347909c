"""docs/reference/commands/: one page for each group of commands.

The summary and the options of a command come from the parser. What stands below NOTES in its section is written by
hand: notes, and examples in `console` blocks, which tests run. `python -m tests.callsieve.test_docs` makes all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from callsieve.main.manual_page import COMMON_OPTIONS, _paragraphs

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands"
NOTES = "<!--notes-->"
HEADING = re.compile(r"^## `callsieve (.+)`$", re.MULTILINE)
# In the order in which the examples are run. The words are the first words of commands.
PAGES = {
    "calls": (
        "Calls, numbers and lists",
        "status lookup calls summary digest mark unmark block allow list undo off on emergency",
    ),
    "owners": ("Owners of other numbers", "identity reassigned appeal review explain"),
    "own": ("Your own numbers", "own"),
    "import": ("Imports and numbering plans", "import feeds plan"),
    "policy": ("Policies", "policy replay"),
    "sharing": ("Sharing with others", "hub lookups exchange report signing"),
    "data": ("The store and personal data", "db housekeeping audit privacy"),
    "access": ("Users, people and programs", "user people token guide"),
    "running": (
        "Installing and running",
        "setup asterisk doctor prompts serve web api public hearing call-back alerts events help man completion",
    ),
}


def page_of(command: str) -> str:
    """Return the page on which a command is."""
    return next(page for page, (_, words) in PAGES.items() if command.split()[0] in words.split())


def notes_in(page: str) -> dict[str, str]:
    """Return the part written by hand of each command's section."""
    parts = HEADING.split(page)
    return {name: text.partition(NOTES)[2].strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def all_pages() -> dict[str, str]:
    """Return the text of each page that exists, by name, in the order of PAGES."""
    files = {name: FOLDER / f"{name}.md" for name in PAGES}
    return {name: file.read_text() for name, file in files.items() if file.exists()}


def made_page(page: str, commands: dict[str, Any], notes: dict[str, str], front: str) -> str:
    """Return a page with what the parser says now."""
    title, words = PAGES[page]
    lines = [front + f"# {title}\n"]
    for word in words.split():
        for name in sorted(name for name in commands if name.split()[0] == word):
            lines += _section(name, commands[name], notes.get(name, ""))
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(name: str, command: Any, notes: str) -> Iterator[str]:
    yield f"## `callsieve {name}`\n"
    yield from (f"{paragraph}\n" for paragraph in _paragraphs(command.help or ""))
    if rows := list(_rows(name, command)):
        yield "\n".join(["| | |", "|---|---|", *rows, ""])
    yield NOTES + "\n"
    if notes:
        yield notes + "\n"


def _rows(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=name)
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            shown, text = (parameter.metavar or parameter.name).strip("[]{}").upper(), parameter.help or ""
        elif parameter.opts[0] in COMMON_OPTIONS:
            continue
        else:
            value = "" if parameter.is_flag else f" {parameter.metavar or parameter.opts[-1].lstrip('-').upper()}"
            record = parameter.get_help_record(context)
            shown, text = ", ".join(parameter.opts) + value, record[1] if record else ""
        yield f"| `{_cell(shown)}` | {_cell(text)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def made_index(commands: dict[str, Any], page: str) -> str:
    """Return the index: what is above its list, and the list of all commands."""
    lines = []
    for name, (title, _) in PAGES.items():
        mine = sorted(command for command in commands if page_of(command) == name)
        groups = groupby(mine, lambda one: one.rpartition(" ")[0])
        links = (
            ", ".join(f"[`{one}`]({name}.md#callsieve-{one.replace(' ', '-')})" for one in group) for _, group in groups
        )
        lines.append(f"- **[{title}]({name}.md).** {'. '.join(links)}.")
    return page.partition("\n- **[")[0] + "\n" + "\n".join(lines) + "\n"
