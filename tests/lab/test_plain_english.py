from pathlib import Path

import pytest

from lab import plain_english
from lab.plain_english import RULES, find_faults, load_replaced_terms, main, read_texts

TERMS = load_replaced_terms(
    "| word | means | not |\n"
    "|---|---|---|\n"
    "| interface | how somebody calls an operation | **door** |\n"
    "| label | what a platform shows | tag, **carrier tag** |\n"
)

LONG = " ".join(["The number", *["and the caller"] * 9, "counts"])

# rule: a text that breaks it, and a text that is near but does not
CASES = {
    "headless": ("Who only looks makes no store.", "Who may use the console?"),
    "is-none": ("The state of the number is none of the three.", "None is returned for an unknown number."),
    "no-more": ("Other sites are told it no more.", "It takes no more than ten seconds."),
    "of-ours": ("Return a number of ours, or an empty text.", "Return one of our numbers."),
    "he-his-him": ("Ask the caller what he wants.", "Ask the caller for the history of this call."),
    "two negations": ("It is not stored unless somebody asks.", "It has no name, and no address is known."),
    "31 words": (f"{LONG} too.", f"{LONG}."),
    "door": ("All doors call the same operation.", "All interfaces call the same operation."),
    "carrier tag": ("It shows the carrier tag.", "It shows a tag."),
}


def faults(text: str) -> list[str]:
    return [rule.split(":")[0] for rule, _ in find_faults(text, RULES | TERMS)]


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_finds_only_its_fault(rule: str) -> None:
    bad, good = CASES[rule]
    assert faults(bad) == [rule]
    assert faults(good) == []


def test_every_rule_has_a_case() -> None:
    assert set(RULES) <= set(CASES)


def test_each_sentence_of_a_paragraph_is_read() -> None:
    assert faults("The number is known. What it is for stands beside it. It is none.") == [
        "headless",
        "is-none",
    ]


BAD = "It was stored no more."
FILES = {
    "docstring.py": (f'"""Module.\n\n{BAD}\n"""\n', [3]),
    "section.py": (f'def f(a):\n    """Return it.\n\n    Args:\n        a: {BAD}\n    """\n', [5]),
    "example.py": (f'"""Module.\n\n    {BAD}\n\nEnd.\n"""\n', []),
    "comment.py": ("x = 1\n\n# It was stored\n# no more.\ny = 2\n", [3]),
    "trailing.py": (f"x = 1  # {BAD}\ny = 2  # {BAD}\n", [1, 2]),
    "message.py": (f'raise ValueError(\n    "{BAD}"\n)\n', [2]),
    "f_string.py": ('say(f"{name} was stored no more")\n', [1]),
    "sql.py": ('run("SELECT no more FROM number")\n', []),
    "page.md": (f"# Title\n\n- `no more` and a lot\n- {BAD}\n\n```\n{BAD}\n```\n\n| {BAD} |\n", [4, 10]),
    "page.html": (f'<style>{BAD}</style>\n<p>It <b>was</b>\nstored no more.</p>\n<p>{{{{ _("{BAD}") }}}}\n', [2, 4]),
    "unit.service": (f"# {BAD}\nType=notify\n", [1]),
    "dialplan.conf": (f"; {BAD}\nexten => s,1,NoOp({BAD})\n", [1]),
}


@pytest.mark.parametrize("name", FILES)
def test_texts_of_a_file_are_found_with_their_lines(name: str, tmp_path: Path) -> None:
    source, lines = FILES[name]
    file = tmp_path / name
    file.write_text(source)
    hits = [text.line for text in read_texts(file) if "no more" in text.text]
    assert sorted(hits) == lines


def test_finding_names_file_line_rule_and_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"# Title\n\n{BAD}\n")
    assert main([str(file)]) == 1
    assert capsys.readouterr().out == f"{file}:3: no-more: {BAD}\n"


def test_a_clean_file_gives_status_0(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Title\n\nIt is no longer stored.\n")
    assert main([str(file)]) == 0


def test_glossary_has_replaced_terms() -> None:
    rules = load_replaced_terms(plain_english.GLOSSARY.read_text())
    assert any(rule.search("Nobody comes through this door.") for rule in rules.values())
