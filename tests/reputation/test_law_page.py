"""docs/reference/law.md: tables made from the law files; `python -m tests.reputation.test_law_page` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reputation.law.loader import ConsentRow, HoursRow, LawFile, LawRow, LimitRow, RefusalRow, RegisterRow, shipped_laws

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "law.md"
MARK = "<!-- from here on by python -m tests.reputation.test_law_page -->\n"


def clause(row: LawRow) -> str:
    """Return a row of a law file in words."""
    if isinstance(row, HoursRow):
        days = [("weekdays", row.weekdays), ("Saturdays", row.saturday), ("Sundays", row.sunday)]
        days += [] if row.holidays is None else [("public holidays", row.holidays)]
        return "; ".join(f"{name} {spans or 'never'}" for name, spans in days)
    if isinstance(row, LimitRow):
        return f"{row.calls} calls to a person within {row.days * 24} hours"
    if isinstance(row, RefusalRow):
        return f"a person who refuses is not called for {row.days} days"
    if isinstance(row, ConsentRow):
        return "calls need consent (`needs_consent`)"
    assert isinstance(row, RegisterRow)
    return f"register `{row.name}`: {row.title}, at most {row.max_days} days old"


def lines_of(law: LawFile) -> Iterator[str]:
    """Yield the part of the page about a country."""
    yield f"## {law.country}\n"
    yield f"Looked through on {law.read}.\n"
    yield "| where | rule | since | binds | source |\n|---|---|---|---|---|"
    for row in law.rows:
        note = f" ({row.note})" if row.note else ""
        since = row.valid_from or ""
        yield f"| {row.area} | {clause(row)}{note} | {since} | {'yes' if row.is_binding else 'advice'} | {row.source} |"
    yield "\n| source | named in reasons as | page | read |\n|---|---|---|---|"
    for item in law.source:
        yield f"| {item.name} | {item.cite} | [{item.title}]({item.url}) | {item.read} |"
    if law.unverified:
        yield "\nCould not be verified:\n"
        yield from (f"- {text}" for text in law.unverified)
    yield ""


def tables() -> str:
    """Return the tables of all countries."""
    return "\n".join(line for law in shipped_laws() for line in lines_of(law))


def test_the_page_equals_the_law_files() -> None:
    assert PAGE.read_text().partition(MARK)[2] == tables(), "python -m tests.reputation.test_law_page"


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(MARK)[0] + MARK + tables())
