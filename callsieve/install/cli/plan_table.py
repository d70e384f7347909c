"""Prints the plan of `asterisk install` or `uninstall`: the most important changes, or all changes on request."""

import difflib
import re
from collections.abc import Iterator

from rich.text import Text

from callsieve.cli.output import console
from callsieve.install.plan import FileChange, InstallPlan, is_copy, is_ours
from callsieve.install.steps import InstallStep

_SECRET = re.compile(r"^(\s*(?:secret|key)\s*=>?\s*)\S.*$|(,key=)\w+", re.MULTILINE | re.IGNORECASE)


def show_plan(plan: InstallPlan, *, every_line: bool) -> None:
    """Print the changed files, and the changed lines of files that CallSieve shares. `every_line`: print full diffs."""
    for user in plan.new_users:
        group = f"the group {user.group}" if user.group else "a group of the same name"
        _print(_verb("new"), f" user {user.name}, in {group}")
    for change in plan.changes:
        _show_file(change)
    if every_line:
        for change in plan.changes:
            _show_diff(change)


def show_steps(steps: list[InstallStep]) -> None:
    """Print the steps as a numbered list, with commands to copy."""
    if steps:
        _print(_styled("\nNext steps", "bold"))
    for number, step in enumerate(steps, 1):
        _print(_styled(f"{number}. {step.title}"))
        for line in step.lines:
            _print(_styled(f"   {line}", "cyan"))


def _show_file(change: FileChange) -> None:
    mode = f" ({change.mode:04o})" if change.mode is not None and change.after is not None else ""
    _print(
        _verb("new" if change.before is None else "remove" if change.after is None else "change"),
        f" {change.path}{mode}{_size(change)}",
    )
    for line in _lines_that_matter(change):
        _print(_styled(f"        {line}", _style_of(line)))
    if change.copied and not change.copy_path.exists():
        _print(_styled(f"        original kept as {change.copy_path.name}", "dim"))


def _size(change: FileChange) -> str:
    if change.before is None and change.after is not None and is_ours(change.after):
        return f", {change.after.count(chr(10))} lines"
    return ""


def _lines_that_matter(change: FileChange) -> Iterator[str]:
    """Yield the added and removed lines, with masked secrets. Yield nothing for a file that is CallSieve's alone."""
    if any(text is not None and is_ours(text) for text in (change.before, change.after)) or is_copy(change.path):
        return
    for line in list(_diff(change, context=0))[2:]:
        if line.startswith(("+", "-")):
            yield f"{line[0]} {line[1:]}"


def _show_diff(change: FileChange) -> None:
    _print(_styled(""))
    lines = list(_diff(change, context=2))
    for line in lines:
        _print(_styled(line, _style_of(line)))
    if not lines:
        _print(_styled(f"{change.path}: the file mode or the secret changes", "bold"))


def _diff(change: FileChange, context: int) -> Iterator[str]:
    before, after = (_SECRET.sub(r"\1\2********", text or "") for text in (change.before, change.after))
    old = "/dev/null" if change.before is None else str(change.path)
    new = "/dev/null" if change.after is None else str(change.path)
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="", n=context)
    return (line.encode("utf-8", "replace").decode() for line in diff)


def _style_of(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _verb(verb: str) -> Text:
    return _styled(f"{verb:<7}", {"new": "green", "remove": "red"}.get(verb, "yellow"))


def _print(*parts: Text | str) -> None:
    console().print(Text.assemble(*parts), soft_wrap=True)


def _styled(text: str, style: str = "") -> Text:
    return Text(text, style)
