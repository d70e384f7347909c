"""The changes that `callsieve asterisk uninstall` makes, as a plan. callsieve.install.steps carries out the plan."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from callsieve.install import plan
from callsieve.install.freepbx import TRUNK_CONTEXT, TRUNK_FILES
from callsieve.pbx.cli_output import endpoint_context_in, endpoints_in, iax_users_in
from callsieve.pbx.config_files import Line, read_text, walk, without_our_lines

# How other files refer to ours: a destination of Gosub or Goto, an included context, a trunk's context.
_USE = re.compile(r"(?<![\w./-])callsieve(?:-[a-z]+)*(?=[,^ )|]|$)|from-trunk-callsieve")
# A jump that is made only if its target exists, so it may stay when our dialplan is removed.
_GUARDED = re.compile(r"DIALPLAN_EXISTS\((callsieve(?:-[a-z]+)*),[^)]*\)[^?]*\?\s*\1,")
_USE_BY_FILE = {  # trunks first: calls from these would be lost
    **dict.fromkeys(TRUNK_FILES, re.compile(rf"{TRUNK_CONTEXT}|context\s*=>?\s*callsieve-")),
    "extensions.conf": _USE,
    "extensions.ael": _USE,
    "extensions.lua": re.compile(r"callsieve"),
}
MOST_NAMED = 8
ENDPOINTS_ASKED = 300


def plan_uninstall(place: plan.InstallPaths) -> plan.InstallPlan:
    """Return the plan that removes CallSieve. Raise InstallError while other files send calls to CallSieve."""
    if users := [line for line in uses_of(place) if "callsieve" in _GUARDED.sub("", line.text)]:
        where = ", ".join(f"{line.file}:{line.number}" for line in users[:MOST_NAMED])
        more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        raise plan.InstallError(
            f"calls still go through CallSieve and would be lost: first remove CallSieve from {where}{more}"
        )
    shared = [place.etc / name for name in ("extensions.conf", "extensions_custom.conf")]
    shared += [place.etc / name for name in ("manager.conf", "manager_custom.conf")]
    changes = [change for path in shared for change in _restored(path)]
    changes += [change for path in _our_files(place) for change in _removed(path)]
    changes += _made_by_freepbx(place.dialplan / "*.conf")
    directories = [place.dialplan, *([place.agi_bin / plan.OUR_AGI] if place.agi_bin else [])]
    directories += [path.parent for path in place.group_files]
    if any(change.path.name.startswith("manager") for change in changes if change.path.parent == place.etc):
        directories.append(place.manager.parent)
    return plan.InstallPlan(tuple(changes), directories=tuple(directories))


def check_trunks(ask: Callable[[str], str]) -> None:
    """Raise InstallError while the running Asterisk sends calls of a trunk to CallSieve, whatever Asterisk's files say.

    `ask`: runs a command in Asterisk's console. It raises ConsoleError if Asterisk is not running.
    """
    names = endpoints_in(ask("pjsip show endpoints"))[:ENDPOINTS_ASKED]
    contexts = {name: endpoint_context_in(ask(f"pjsip show endpoint {name}")) or "" for name in names}
    by_module = {
        "res_pjsip": [name for name, context in contexts.items() if _is_ours(context)],
        "chan_iax2": [name for name, context in iax_users_in(ask("iax2 show users")).items() if _is_ours(context)],
    }
    for module, arriving in by_module.items():
        if arriving:
            raise plan.InstallError(
                f"Asterisk still sends calls of {', '.join(arriving[:MOST_NAMED])} to CallSieve; they would be lost: "
                f'first run asterisk -rx "module reload {module}.so"'
            )


def _is_ours(context: str) -> bool:
    return context.startswith("callsieve-") or context == TRUNK_CONTEXT


def uses_of(place: plan.InstallPaths) -> list[Line]:
    """Return the lines of other files that use CallSieve's dialplan. Without such lines, no call is screened."""
    return [
        line
        for name, use in _USE_BY_FILE.items()
        for line in _lines_of(place, name)
        if line.file.parent != place.dialplan and line.included is None and use.search(line.text)
    ]


def _lines_of(place: plan.InstallPaths, name: str) -> Iterator[Line]:
    path = place.etc / name
    if name.endswith(".conf"):
        yield from walk(place.etc, path)
        return
    for number, text in enumerate((read_text(path) or "").split("\n"), 1):  # AEL and Lua, comments of their own
        if not text.lstrip().startswith(("//", "--")):
            yield Line(path, number, text.strip())


def _restored(path: Path) -> Iterator[plan.FileChange]:
    before = read_text(path)
    if before is None:
        return
    after, copy = without_our_lines(before), plan.copy_of(path)
    copied = read_text(copy)
    if after != before:
        yield plan.FileChange(path, before, after if after or copied is not None else None)
    if copied is not None and copied == after:
        yield plan.FileChange(copy, copied, None)


def _our_files(place: plan.InstallPaths) -> Iterator[Path]:
    yield from (place.dialplan / name for name in reversed((*plan.FREEPBX_FILES, plan.FRONT_FILE)))
    yield place.manager
    yield from place.unit_files
    yield from place.group_files
    if place.agi_bin is not None:
        yield from sorted((place.agi_bin / plan.OUR_AGI).glob("*"))


def _removed(path: Path) -> Iterator[plan.FileChange]:
    before, copied = read_text(path), read_text(plan.copy_of(path))
    if before is not None and plan.is_ours(before):
        copy = plan.copy_of(path)
        if copied is None:
            yield plan.FileChange(path, before, None)
        else:
            yield plan.FileChange(path, before, copied, copy.stat().st_mode & 0o777)
            yield plan.FileChange(copy, copied, None)


def _made_by_freepbx(path: Path) -> Iterator[plan.FileChange]:
    """Yield the removal of an empty file, which FreePBX made for an `#include` of an older CallSieve."""
    if read_text(path) == "":
        yield plan.FileChange(path, "", None)


def is_classic_installed(place: plan.InstallPaths) -> bool:
    """Return whether the installed dialplan uses the classic script."""
    return plan.agi_of(read_text(place.dialplan / "callsieve.conf") or "") == plan.OUR_AGI
