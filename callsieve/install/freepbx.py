"""FreePBX's hooks before its Dials: which can be ours, and what to say where one cannot. Nothing is written.

FreePBX keeps one context for each, which it leaves empty at the end of extensions.conf; of a context that stands in
several files Asterisk takes what it reads first. Two hooks cannot stand side by side: one has to call the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from callsieve.install.plan import InstallPaths
from callsieve.pbx.config_files import Line, walk

TRUNK_CONTEXT = "from-trunk-callsieve"
# Where a trunk says in which context its calls arrive, by the kinds of trunk that FreePBX has.
TRUNK_FILES = ("pjsip.conf", "pjsip_wizard.conf", "iax.conf", "sip.conf", "chan_dahdi.conf")


@dataclass(frozen=True, slots=True)
class PredialHook:
    """One of FreePBX's hooks: its context, our context that it asks, our file of it, and what for, in words."""

    context: str
    asks: str
    file: str
    purpose: str

    @property
    def line(self) -> str:
        """What somebody else's hook needs, to ask us as well. Where ours is gone every call goes on."""
        return f'same => n,GosubIf($["${{DIALPLAN_EXISTS({self.asks},s,1)}}" = "1"]?{self.asks},s,1)'


OUTBOUND_HOOK = PredialHook(
    "macro-dialout-trunk-predial-hook",
    "callsieve-freepbx-outbound",
    "callsieve-freepbx-hook.conf",
    "the outbound guard",
)
PHONE_HOOKS = (
    PredialHook(
        "macro-dialout-one-predial-hook",
        "callsieve-freepbx-extension",
        "callsieve-freepbx-extension-hook.conf",
        "tags after name lookups and lists of one's own, in extensions and queues,",
    ),
    PredialHook(
        "macro-dial-ringall-predial-hook",
        "callsieve-freepbx-ringall",
        "callsieve-freepbx-ringall-hook.conf",
        "tags after name lookups and lists of one's own, in ring groups,",
    ),
    PredialHook(
        "macro-dial-hunt-predial-hook",
        "callsieve-freepbx-hunt",
        "callsieve-freepbx-hunt-hook.conf",
        "tags after name lookups and lists of one's own, in ring groups that hunt,",
    ),
)
HOOKS = (OUTBOUND_HOOK, *PHONE_HOOKS)
HOOK_FILES = frozenset(hook.file for hook in HOOKS)

_BY_MACRO = re.compile(r"\bMacro\(dialout-trunk\b")
_ROUTE = re.compile(r"outrt-\d+")  # what FreePBX generates for each outbound route


@dataclass(frozen=True, slots=True)
class FoundHooks:
    """What is in the way of our hooks: those that somebody else has, by context, or a FreePBX that calls by Macro.

    `asking`: the contexts of those that have our line.
    """

    others: Mapping[str, Line]
    asking: frozenset[str] = frozenset()
    by_macro: bool = False

    def can_be_ours(self, hook: PredialHook) -> bool:
        """Whether nobody else has it."""
        return hook.context not in self.others and not self.by_macro

    @property
    def files(self) -> frozenset[str]:
        """Our files of those that can be ours."""
        return frozenset(hook.file for hook in HOOKS if self.can_be_ours(hook))

    @property
    def remarks(self) -> list[str]:
        """What the administrator should know, a line each."""
        if self.by_macro:
            return [
                "this FreePBX calls its dialplan by Macro, as 15 and 16 do: "
                "the outbound guard is not asked before FreePBX 17, and FreePBX's name lookups replace our tags"
            ]
        taken = ((hook, self.others[hook.context]) for hook in HOOKS if hook.context in self.others)
        return [
            f"the hook [{hook.context}] in {line.file}:{line.number} is yours: "
            f"for {hook.purpose} add before its Return():  {hook.line}"
            for hook, line in taken
            if hook.context not in self.asking
        ]


NO_HOOKS = FoundHooks({}, by_macro=False)


def calls_by_macro(context: str, application: str) -> bool:
    """Whether this step is an outbound route's of FreePBX 15 and 16. Somebody's own that they left behind is none."""
    return _ROUTE.fullmatch(context) is not None and _BY_MACRO.search(application) is not None


def find_hooks(place: InstallPaths) -> FoundHooks:
    """What the files say. The empty ones of FreePBX itself, in extensions.conf, are in nobody's way."""
    own = place.etc / "extensions.conf"
    hooks = {hook.context: hook for hook in HOOKS}
    others: dict[str, Line] = {}
    asking: set[str] = set()
    by_macro = False
    context = ""
    inside: PredialHook | None = None
    for line in walk(place.etc, own):
        by_macro = by_macro or calls_by_macro(context, line.text)
        if line.section is not None:
            context = line.section
            theirs = line.file != own and line.file.parent != place.dialplan
            inside = hooks.get(context) if theirs else None
            if inside is not None:
                others.setdefault(context, line)
        elif inside is not None and inside.asks in line.text:
            asking.add(inside.context)
    return FoundHooks(others, frozenset(asking), by_macro)
