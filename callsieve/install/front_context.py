"""The front context that trunks arrive in: it asks CallSieve and goes on to the context that they arrived in before.

One context for each name that the administrator gives, `callsieve-` and that name: `callsieve-from-trunk` goes on to
`from-trunk`. The trunk's `context=` is then the only line that changes, and every DID stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from callsieve.install import plan
from callsieve.pbx.config_files import lines_of, read_text, walk
from callsieve.settings import FREEPBX_PORT, address_of
from policies.files import nearest

PREFIX = "callsieve-"
TEMPLATE = "from-trunk"
# pbx.h: AST_MAX_CONTEXT is 80 with its end; ours is ten longer than the name.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,69}")
# Dialplans whose contexts are not in extensions.conf.
_OTHER_LANGUAGES = ("extensions.ael", "extensions.lua")


def front_context_of(context: str) -> str:
    """The name of the front context before this one."""
    return PREFIX + context


def front_text(contexts: Sequence[str]) -> str:
    """The file with a front context for each of these."""
    head, bracket, block = plan.packaged(plan.FRONT_FILE).partition(f"[{PREFIX}{TEMPLATE}]")
    return head + "\n".join((bracket + block).replace(TEMPLATE, context) for context in contexts)


def installed_contexts(place: plan.InstallPaths) -> tuple[str, ...]:
    """The contexts that the installed file goes on to, in its order."""
    path = place.dialplan / plan.FRONT_FILE
    sections = [line.section for line in lines_of(path, read_text(path) or "") if line.section]
    return tuple(section.removeprefix(PREFIX) for section in sections)


def check_context(place: plan.InstallPaths, context: str) -> None:
    """InstallError unless a front context can be made for this name, and there is such a context to go on to."""
    if not _NAME.fullmatch(context) or context.startswith("callsieve"):
        raise plan.InstallError(
            f"--inbound {context!r}: name the context that your trunks arrive in now, as from-trunk"
        )
    if front_context_of(context) in _our_contexts():
        raise plan.InstallError(
            f"--inbound {context}: CallSieve has a context {front_context_of(context)} of its own: "
            "rename yours, or ask by a line of your own (the documentation, under Operations, the inline way)"
        )
    if context not in (known := _contexts_of(place)) and not _may_be_elsewhere(place, context):
        raise plan.InstallError(
            f"--inbound {context}: {place.etc}/extensions.conf has no context [{context}]{nearest(context, known)}"
        )


def _our_contexts() -> frozenset[str]:
    lines = (line for name in plan.FREEPBX_FILES for line in lines_of(Path(name), plan.packaged(name)))
    return frozenset(line.section for line in lines if line.section)


def _contexts_of(place: plan.InstallPaths) -> list[str]:
    """The contexts of other people's dialplan, in the order of the files."""
    lines = walk(place.etc, place.etc / "extensions.conf")
    found = (line.section for line in lines if line.section and line.file.parent != place.dialplan)
    return list(dict.fromkeys(name for name in found if name not in ("general", "globals")))


def _may_be_elsewhere(place: plan.InstallPaths, context: str) -> bool:
    return any(context in (read_text(place.etc / name) or "") for name in _OTHER_LANGUAGES)


MAIN_FILE = "callsieve.conf"
# A global of the administrator's own goes before what our file says.
_GLOBAL = re.compile(r"CALLSIEVE_AGI\s*=>?\s*(\S+)")


def asked_in_files(etc: Path) -> str | None:
    """What our dialplan in `etc` asks, `agi://127.0.0.1:4578` or the classic script; None when it is not installed.

    OSError when this user may not read it.
    """
    ours = plan.agi_of(read_text(etc / plan.OUR_DIALPLAN / MAIN_FILE) or "")
    if ours is None:
        return None
    found = (_GLOBAL.match(line.text) for line in walk(etc, etc / "extensions.conf"))
    return next((match[1] for match in found if match), ours)


def is_answered_at(asked: str, listen: str) -> bool:
    """Whether a dialplan that asks `asked` reaches a daemon that listens on `listen`. The classic script does."""
    return asked == plan.OUR_AGI or _address(asked) == address_of(listen)


def _address(url: str) -> tuple[str, int] | None:
    address = url.removeprefix("agi://").partition("/")[0]
    for text in (address, f"{address}:{FREEPBX_PORT}"):  # Asterisk asks port 4573 where none is named
        try:
            return address_of(text)
        except ValueError:
            continue
    return None
