"""FreePBX's hook before a trunk's Dial: whether it can be ours, and what to say where it cannot. Nothing is written.

FreePBX keeps one context for it, which it leaves empty at the end of extensions.conf; of a context that stands in
several files Asterisk takes what it reads first. Two hooks cannot stand side by side: one has to call the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from callsieve.install.plan import InstallPaths
from callsieve.pbx.config_files import Line, walk

HOOK = "macro-dialout-trunk-predial-hook"
GUARD_CONTEXT = "callsieve-freepbx-outbound"
TRUNK_CONTEXT = "from-trunk-callsieve"
# Where a trunk says in which context its calls arrive, by the kinds of trunk that FreePBX has.
TRUNK_FILES = ("pjsip.conf", "pjsip_wizard.conf", "iax.conf", "sip.conf", "chan_dahdi.conf")
GUARD_LINE = f"same => n,Gosub({GUARD_CONTEXT},s,1)"

_BY_MACRO = re.compile(r"\bMacro\(dialout-trunk\b")
_ROUTE = re.compile(r"outrt-\d+")  # what FreePBX generates for each outbound route


@dataclass(frozen=True, slots=True)
class Hook:
    """What is in the way of our hook: one that somebody else has, or a FreePBX that calls by Macro. Neither: nothing.

    `asks_us`: the other hook has our line.
    """

    other: Line | None = None
    asks_us: bool = False
    by_macro: bool = False

    @property
    def can_be_ours(self) -> bool:
        return self.other is None and not self.by_macro

    @property
    def remarks(self) -> list[str]:
        """What the administrator should know, a line each."""
        if self.by_macro:
            return [
                "this FreePBX calls its dialplan by Macro, as 15 and 16 do: "
                "the outbound guard is not asked before FreePBX 17"
            ]
        if self.other is None or self.asks_us:
            return []
        where = f"{self.other.file}:{self.other.number}"
        return [f"the hook [{HOOK}] in {where} is yours: for the outbound guard add before its Return():  {GUARD_LINE}"]


def calls_by_macro(context: str, application: str) -> bool:
    """Whether this step is an outbound route's of FreePBX 15 and 16. Somebody's own that they left behind is none."""
    return _ROUTE.fullmatch(context) is not None and _BY_MACRO.search(application) is not None


def find_hook(place: InstallPaths) -> Hook:
    """What the files say. The empty one of FreePBX itself, in extensions.conf, is in nobody's way."""
    own = place.etc / "extensions.conf"
    other: Line | None = None
    asks_us = by_macro = inside = False
    context = ""
    for line in walk(place.etc, own):
        by_macro = by_macro or calls_by_macro(context, line.text)
        if line.section is not None:
            context = line.section
            inside = line.section == HOOK and line.file != own and line.file.parent != place.dialplan
            other = other or (line if inside else None)
        elif inside and GUARD_CONTEXT in line.text:
            asks_us = True
    return Hook(other, asks_us, by_macro)
