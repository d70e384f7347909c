"""Front contexts for trunks. Such a context queries CallSieve, then goes on in the context that the trunk used before.

Only `context=` of the trunk changes, for example from `from-trunk` to `callsieve-from-trunk`. DIDs stay as they are.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from callsieve.install import plan
from callsieve.pbx.config_files import lines_of, read_text, walk
from callsieve.settings import FREEPBX_PORT, address_of
from policies.files import nearest

PREFIX = "callsieve-"
TEMPLATE = "from-trunk"
# pbx.h: AST_MAX_CONTEXT is 80 with the final NUL; our prefix has ten characters.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,69}")
# Dialplans in other languages, whose contexts are not in extensions.conf.
_OTHER_LANGUAGES = ("extensions.ael", "extensions.lua")


def front_context_of(context: str) -> str:
    """Return the name of the front context that continues in this context."""
    return PREFIX + context


def front_text(contexts: Sequence[str]) -> str:
    """Return the text of the file that has a front context for each of these contexts."""
    head, bracket, block = plan.packaged(plan.FRONT_FILE).partition(f"[{PREFIX}{TEMPLATE}]")
    return head + "\n".join((bracket + block).replace(TEMPLATE, context) for context in contexts)


def installed_contexts(place: plan.InstallPaths) -> tuple[str, ...]:
    """Return the contexts for which a front context is installed, in the order of the file with the front contexts."""
    path = place.dialplan / plan.FRONT_FILE
    sections = [line.section for line in lines_of(path, read_text(path) or "") if line.section]
    return tuple(section.removeprefix(PREFIX) for section in sections)


def check_context(place: plan.InstallPaths, context: str) -> None:
    """Raise InstallError if this context does not exist or cannot get a front context."""
    if not _NAME.fullmatch(context) or context.startswith("callsieve"):
        raise plan.InstallError(
            f"--inbound {context!r}: name the context that calls from your trunks enter now, such as from-trunk"
        )
    if front_context_of(context) in _our_contexts():
        raise plan.InstallError(
            f"--inbound {context}: the name {front_context_of(context)} is used by CallSieve itself: "
            "rename your context, or call CallSieve from your own context (callsieve help install)"
        )
    if context not in (known := _contexts_of(place)) and not _may_be_elsewhere(place, context):
        raise plan.InstallError(
            f"--inbound {context}: {place.etc}/extensions.conf has no context [{context}]{nearest(context, known)}"
        )


def _our_contexts() -> frozenset[str]:
    lines = (line for name in plan.FREEPBX_FILES for line in lines_of(Path(name), plan.packaged(name)))
    return frozenset(line.section for line in lines if line.section)


def _contexts_of(place: plan.InstallPaths) -> list[str]:
    lines = walk(place.etc, place.etc / "extensions.conf")
    sections = (line.section for line in lines if line.section and line.file.parent != place.dialplan)
    return list(dict.fromkeys(name for name in sections if name not in ("general", "globals")))


def _may_be_elsewhere(place: plan.InstallPaths, context: str) -> bool:
    return any(context in (read_text(place.etc / name) or "") for name in _OTHER_LANGUAGES)


MAIN_FILE = "callsieve.conf"
# A global that the administrator sets overrides our file.
_GLOBAL = re.compile(r"CALLSIEVE_AGI\s*=>?\s*(\S+)")


def asked_in_files(etc: Path) -> str | None:
    """Return the address or classic script that the installed dialplan queries; None without one. Raise OSError."""
    default = plan.agi_of(read_text(etc / plan.OUR_DIALPLAN / MAIN_FILE) or "")
    if default is None:
        return None
    matches = (_GLOBAL.match(line.text) for line in walk(etc, etc / "extensions.conf"))
    return next((match[1] for match in matches if match), default)


def is_answered_at(asked: str, listen: str) -> bool:
    """Return whether a dialplan that queries `asked` reaches a daemon on `listen`. True for the classic script."""
    return asked == plan.OUR_AGI or _address(asked) == address_of(listen)


def _address(url: str) -> tuple[str, int] | None:
    address = url.removeprefix("agi://").partition("/")[0]
    for text in (address, f"{address}:{FREEPBX_PORT}"):  # Asterisk's default port is 4573
        try:
            return address_of(text)
        except ValueError:
            continue
    return None
