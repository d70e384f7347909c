"""The check for plain English: `python -m lab.plain_english [PATH ...]` prints `file:line: rule: text`.

The check reads docstrings, comments and longer strings of Python, Markdown, HTML templates, and comments of
configuration files. Without a PATH it reads the paths in `[tool.plain-english]` of pyproject.toml. The exit status is 1
if any text breaks a rule.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "docs" / "contributing" / "glossary.md"
MOST_WORDS = 30
FEWEST_WORDS = 3  # shorter texts are headings, cells and keys

NEGATION = re.compile(r"\b(not|no|never|nobody|none|nothing|nowhere|neither|cannot|without|unless)\b|n't\b")
# "not X, not Y" is one idea. Two negations inside one of these parts are hard to read.
CLAUSE = re.compile(r"[,;:()]|\b(?:and|or|but|nor|if|when|where|because)\b")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]?\s+(?=[A-Z`*\"'(\[])")
SQL = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|CREATE|WITH|PRAGMA|ALTER|DROP|AND|ON)\b|.*\b(SELECT|FROM|WHERE|JOIN)\b", re.S
)
COMMENT_TO_SKIP = re.compile(r"!|\s*(noqa|type:|fmt:|ruff:|pragma)")
# A list item, a table row, a heading, or `name: ` in a section of a docstring begins a new paragraph.
NEW_PARAGRAPH = re.compile(r" *([-*+|#>]|\d+\.) | +[\w`*.,/ ]{1,60}: |\|")
SECTION = re.compile(r"[A-Z][a-z]+:$")  # of a docstring; elsewhere lines that are indented by four are an example
LAYOUT = re.compile(r"\S {3,}\S|=>|->|^ *>>>")  # a line of an example or of a drawn table
INLINE_TAG = re.compile(r"</?(a|abbr|b|bdi|code|em|i|kbd|q|small|span|strong|var)\b[^>]*>", re.I)
COMMENT_SIGNS = {".conf": ";", **dict.fromkeys((".toml", ".service", ".timer", ".path", ".sh", ".yaml", ".yml"), "#")}
SUFFIXES = {".py", ".md", ".html", *COMMENT_SIGNS}

RULES = {
    "headless": re.compile(r"^(Who|What|Whose|Whom)\b.*[^?]$", re.S),
    "is-none": re.compile(r"\b(is|are|was|were) none\b"),
    "no-more": re.compile(r"\bno more\b(?! than\b)", re.I),
    "of-ours": re.compile(r"\bof (ours|theirs)\b", re.I),
    "he-his-him": re.compile(r"\b(he|his|him|himself)\b", re.I),
}


class Text(NamedTuple):
    """A paragraph, docstring, comment or message that is checked. `line`: the line of the file on which it begins."""

    line: int
    text: str


def load_replaced_terms(glossary: str) -> dict[str, re.Pattern[str]]:
    """Return, for each bold term in the glossary's column "not", a pattern that matches it."""
    rules = {}
    for row in glossary.splitlines():
        cells = [cell.strip() for cell in row.strip("| ").split(" |")] if row.startswith("|") else []
        for term in re.findall(r"\*\*`?(.+?)`?\*\*", cells[2]) if len(cells) > 2 else []:
            rules[f"{term}: see docs/contributing/glossary.md"] = re.compile(rf"\b{re.escape(term)}(s|es|ed)?\b", re.I)
    return rules


def find_faults(text: str, rules: dict[str, re.Pattern[str]]) -> Iterator[tuple[str, str]]:
    """Yield the broken rule and the sentence for each fault in a text."""
    for sentence in SENTENCE_END.split(" ".join(text.split())):
        words = re.findall(r"[^\W\d_][\w'-]*", sentence)
        if len(words) < FEWEST_WORDS:
            continue
        yield from ((name, sentence) for name, rule in rules.items() if rule.search(sentence))
        if len(words) > MOST_WORDS:
            yield f"{len(words)} words", sentence
        if any(len(NEGATION.findall(clause)) > 1 for clause in CLAUSE.split(sentence[:1].lower() + sentence[1:])):
            yield "two negations", sentence


def paragraphs(text: str, line: int = 1) -> Iterator[Text]:
    """Yield the paragraphs of a docstring or a Markdown text, with code replaced by the word X."""
    text = re.sub(r"^( *)(```|~~~).*?^ *\2", lambda block: "\n" * block[0].count("\n"), text, flags=re.M | re.S)
    text = re.sub(r"(`+)(?!`).+?\1", lambda code: "X" + "\n" * code[0].count("\n"), text, flags=re.S)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    first, lines, in_section = line, list[str](), False
    for at, row in enumerate([*text.splitlines(), ""], line):
        in_section = SECTION.match(row) is not None or (in_section and row[:1] in ("", " "))
        is_example = LAYOUT.search(row) or (row.startswith("    ") and not in_section and not NEW_PARAGRAPH.match(row))
        if lines and (not row.strip() or is_example or NEW_PARAGRAPH.match(row)):
            yield Text(first, " ".join(lines))
            lines = []
        if row.startswith("|"):
            yield from (Text(at, cell) for cell in row.split("|"))
        elif row.strip() and not is_example:
            first = first if lines else at
            lines.append(re.sub(r"^ *([-*+#>]+|\d+\.) |^ +[\w`*.,/ ]{1,60}: ", "", row))


def comments(source: str, sign: str) -> Iterator[Text]:
    block = [row.strip().removeprefix(sign) if row.strip().startswith(sign) else "" for row in source.splitlines()]
    return paragraphs("\n".join(block))


def python_comments(source: str) -> Iterator[Text]:
    """Yield the comments of a Python module. Consecutive comment lines are joined."""
    rows: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not COMMENT_TO_SKIP.match(token.string[1:]):
            is_alone = not token.line[: token.start[1]].strip()
            before = token.start[0] - 1
            if is_alone and before in rows:
                rows[token.start[0]] = f"{rows.pop(before)}\n{token.string[1:]}"
            else:
                rows[token.start[0]] = token.string[1:] if is_alone else f"{token.string[1:]}\n"
    for line, text in rows.items():
        yield from paragraphs(text, line - text.rstrip("\n").count("\n"))


def python_texts(source: str) -> Iterator[Text]:
    """Yield docstrings, comments, and strings that look like messages."""
    yield from python_comments(source)
    tree = ast.parse(source)
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)) as docstring):
                parts.add(docstring)
                yield from paragraphs(inspect.cleandoc(text), node.lineno + len(text) - len(text.lstrip("\n")))
            case ast.JoinedStr(values=values) if node not in parts:
                parts.update(values)
                shown = [str(part.value) if isinstance(part, ast.Constant) else "X" for part in values]
                yield from messages("".join(shown), node.lineno)
            case ast.Constant(value=str(text)) if node not in parts:
                yield from messages(text, node.lineno)


def messages(text: str, line: int) -> Iterator[Text]:
    """Yield the paragraphs of a string, unless it is a pattern, SQL or markup."""
    if "\\" not in text and not SQL.match(text) and not text.lstrip().startswith(("<", "{", "[", "#")):
        yield from (Text(line, paragraph.text) for paragraph in paragraphs(text, line))


def html_texts(source: str) -> Iterator[Text]:
    """Yield the texts of a Jinja template, with expressions replaced by X, and the strings in these expressions."""
    hidden = r"\{#.*?#\}|<(script|style|svg)\b.*?</\1>|\{% block style %\}.*?\{% endblock %\}"
    source = re.sub(hidden, lambda part: "\n" * part[0].count("\n"), source, flags=re.S | re.I)
    for part in re.finditer(r"\{[{%].*?[%}]\}", source, re.S):
        line = source.count("\n", 0, part.start()) + 1
        yield from (Text(line, string) for string in re.findall(r'"([^"]+)"', part[0]))
    source = re.sub(r"\{\{.*?\}\}", lambda part: "X" + "\n" * part[0].count("\n"), source, flags=re.S)
    source = re.sub(r"\{%.*?%\}", lambda part: "\0" + "\n" * part[0].count("\n"), source, flags=re.S)
    source = re.sub(
        r"<[^>]*>", lambda tag: " " if INLINE_TAG.match(tag[0]) else "\0" + "\n" * tag[0].count("\n"), source
    )
    line = 1
    for text in source.split("\0"):
        yield Text(line + text[: len(text) - len(text.lstrip())].count("\n"), text)
        line += text.count("\n")


def read_texts(path: Path) -> Iterator[Text]:
    source = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".py":
            return python_texts(source)
        case ".md":
            return paragraphs(source)
        case ".html":
            return html_texts(source)
    return comments(source, COMMENT_SIGNS[path.suffix])


def list_files(paths: list[Path]) -> list[Path]:
    """Return the files in `paths`, including all files in folders."""
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return sorted({file for file in files if file.suffix in SUFFIXES and ".venv" not in file.parts})


def main(arguments: list[str]) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["plain-english"]
    covered = (list(ROOT.glob(pattern)) or [ROOT / pattern] for pattern in settings["covered"])
    paths = [Path(argument) for argument in arguments] or [path for matches in covered for path in matches]
    if missing := [str(path) for path in paths if not path.exists()]:
        sys.exit(f"no such file or folder: {', '.join(missing)}")
    rules = RULES | load_replaced_terms(GLOSSARY.read_text())
    faults = 0
    for file in list_files(paths):
        shown = file.resolve().relative_to(ROOT) if file.resolve().is_relative_to(ROOT) else file
        for text in read_texts(file):
            for rule, sentence in find_faults(text.text, rules):
                faults += 1
                print(f"{shown}:{text.line}: {rule}: {sentence}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
