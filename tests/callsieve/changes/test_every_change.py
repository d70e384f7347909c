"""Every audited change is declared by a capability, with its undo or the reason why there is none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from callsieve.capability import Undo
from callsieve.changes.undo import UndoKind
from callsieve.main.capabilities import CAPABILITIES, CHANGES
from reputation.store.tables.every import TABLE_BY_NAME

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("callsieve", "reputation", "agi", "ami_listener", "policies")
# Names that are not written where the row is, by module.
GIVEN = {
    "callsieve/person_page/operations.py": {"whispers-on", "whispers-off", "quiet-on", "quiet-off"},
    "callsieve/appeals/operations.py": {"appeal accept", "appeal withdraw"},
    "callsieve/changes/operation.py": set(),
    "callsieve/imports/operations.py": {
        *("import people", "import dids", "import remove", "import calls"),
        *("import contacts", "import feed", "import numbers"),
    },
    "callsieve/own_numbers/operations.py": {"own add", "own check", "own rest", "own use", "own retire"},
    "reputation/feature_codes.py": {
        *("mark", "unmark", "list add", "list remove"),
        *("whispers-on", "whispers-off", "quiet-on", "quiet-off"),
    },
}
UNDOABLE = {what: undo for what, undo in CHANGES.items() if isinstance(undo, Undo)}


def change_names_in(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the name argument of every audited change in the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id == "change" and len(node.args) > 2:
                yield node.args[2]
            elif node.func.id == "Change" and not isinstance(node.args[0], ast.Starred):
                yield node.args[0]


def constants(name: ast.expr) -> set[str] | None:
    """Return the constant names in an expression, or None if it is a variable."""
    if isinstance(name, ast.IfExp):
        both = constants(name.body), constants(name.orelse)
        return both[0] | both[1] if both[0] is not None and both[1] is not None else None
    return {name.value} if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def changes_written() -> Iterator[tuple[str, set[str] | None]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            place = str(file.relative_to(ROOT))
            for name in change_names_in(ast.parse(file.read_text())):
                yield place, constants(name)


def test_every_audited_change_is_declared() -> None:
    found = [(place, names) for place, names in changes_written() if place != "callsieve/changes/undo.py"]
    assert {place for place, names in found if names is None} == set(GIVEN)
    assert set().union(*GIVEN.values(), *(names for _, names in found if names)) == set(CHANGES)


def test_each_change_belongs_to_one_capability() -> None:
    declared = [what for capability in CAPABILITIES for what in capability.changes]
    assert sorted(declared) == sorted(set(declared))


@pytest.mark.parametrize("what", UNDOABLE)
def test_declared_undo_exists(what: str) -> None:
    undo = UNDOABLE[what]
    assert {along for along in undo.along if along not in UNDOABLE} == set()
    if undo.table:
        assert undo.table in TABLE_BY_NAME
        assert not undo.by
    elif undo.by:
        module, _, name = undo.by.partition(":")
        kind = getattr(import_module(module), name)
        assert isinstance(kind, UndoKind) or isinstance(kind({}), UndoKind)
    else:
        assert undo.along


def test_only_administrators_undo_imports() -> None:
    assert {undo.role.word for undo in UNDOABLE.values() if undo.is_import} == {"administrator"}
