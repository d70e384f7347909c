"""Find the phones that a call may ring, from the loaded dialplan. Pure functions.

    DialplanReach(output, globals).of("2071838750", "from-carrier") -> Reach(phones={"PJSIP/201", "PJSIP/202"})

Conditions are not evaluated: phones that ring by day and phones that ring by night both count. If a step depends on the
running call, the result is marked as open, because other phones may ring too.
"""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from callsieve.pbx.cli_output import Match, dialplan_in, matches_in
from callsieve.pbx.dialplan_text import branches, split_outside_brackets, substituted, takes

MOST_STEPS = 3000  # of all branches together
LONGEST_CHOICE = 6  # keys in a menu; longer extensions are numbers in the same context

# Applications by lower-case name. ENDS end the call; after the others the caller or another program decides.
ENDS = frozenset({"busy", "congestion", "hangup", "return"})
MENUS = frozenset({"background", "waitexten"})
OPEN = frozenset(
    ["agi", "asyncagi", "deadagi", "directory", "disa", "eagi", "externalivr", "followme", "page", "stasis"]
)
RINGS = frozenset({"dial", "retrydial"})
OUR_OPTIONS = "CALLSIEVE_DIAL"  # the variable with the options that bring labels, rings and whispers to a phone

# Contexts (Macros in FreePBX 15 and 16) that ring extensions: the index of the argument with them, separated by -.
FREEPBX_DIALS = {"macro-dial": 2, "macro-dial-confirm": 2, "macro-dial-one": 2, "macro-exten-vm": 1}
# Contexts in which an extension of FreePBX stands for its person.
FREEPBX_PEOPLE = frozenset(
    (
        "ext-findmefollow",
        "ext-local",
        "from-did-direct",
        "from-did-direct-ivr",
        "from-internal",
        "from-internal-additional",
        "from-internal-xfer",
        "from-queue",
    )
)

_APPLICATION = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_CONTACTS = re.compile(r"\$\{PJSIP_DIAL_CONTACTS\(([\w.@+-]+)[^)]*\)}")
_LOCAL = re.compile(r"Local/([^@/]+)@([^/]+)(?:/.*)?", re.IGNORECASE)
_PHONE = re.compile(r"([A-Za-z0-9]+/[^/@!]+)(?:[/!].*)?")
_SPECIAL = re.compile(r"[sihtoTea]|fax", re.ASCII)


# The known variables of a call: its own, then the dialplan's globals.
Variables = ChainMap[str, str | None]


@dataclass(slots=True)
class Reach:
    """Phones that a call may ring. `is_open`: whether other phones may ring too.

    `extensions`: the extensions that FreePBX rings. `unlabelled`: each phone that a Dial rings without the options in
    the dialplan variable CALLSIEVE_DIAL, with the place of this Dial. It is empty if the variable has no value.
    """

    phones: set[str] = field(default_factory=set)
    extensions: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)
    unlabelled: set[tuple[str, str]] = field(default_factory=set, compare=False)
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    context: str
    extension: str
    priority: int | str
    variables: Mapping[str, str | None]


class DialplanReach:
    """A loaded dialplan, as printed by `dialplan show`. `freepbx`: whether FreePBX generated the dialplan."""

    def __init__(self, output: str, variables: Mapping[str, str], *, freepbx: bool = False) -> None:
        self._variables = variables
        self._freepbx = freepbx
        self._includes: dict[str, list[str]] = {}
        self._dialplan = dialplan_in(output)
        for outer, inner in self._dialplan.includes:
            self._includes.setdefault(outer, []).append(inner)
        self._matches: dict[str, list[Match]] = {}
        for match in matches_in(output):
            self._matches.setdefault(match.context, []).append(match)

    def extensions(self, context: str) -> list[str]:
        """Return a context's extensions, without includes, patterns and special extensions such as `s`."""
        names = dict.fromkeys(match.extension for match in self._matches.get(context, ()))
        return [name for name in names if not name.startswith("_") and not _SPECIAL.fullmatch(name)]

    @property
    def contexts(self) -> list[str]:
        """The contexts that contain an extension."""
        return list(self._matches)

    def of(self, extension: str, context: str) -> Reach:
        """Return the phones that a call to this extension may ring."""
        return _Walk(self, self._variables, freepbx=self._freepbx).reach(extension, context)

    def matches(self, extension: str, context: str) -> list[Match]:
        """Return what matches the extension, in Asterisk's order, up to the first match that applies to all callers."""
        matches: list[Match] = []
        for match in self._candidates(extension, context, set()):
            matches.append(match)
            if not match.sometimes:
                break
        return matches

    def has_direct_dial(self, context: str) -> bool:
        """Return whether callers in this context's menu may also dial extensions that are not choices of the menu."""
        own = any(match.extension.startswith("_") for match in self._matches.get(context, ()))
        return own or any(inner in self._matches for inner in self._dialplan.reached_from(context) - {context})

    def _candidates(self, extension: str, context: str, seen: set[str]) -> Iterator[Match]:
        if context in seen:
            return
        seen.add(context)
        own = [match for match in self._matches.get(context, ()) if takes(match.extension, extension)]
        yield from sorted(own, key=lambda match: match.extension.startswith("_"))  # Asterisk's order among patterns
        for inner in self._includes.get(context, ()):
            yield from self._candidates(extension, inner, seen)


class _Walk:
    def __init__(self, plan: DialplanReach, variables: Mapping[str, str], *, freepbx: bool) -> None:
        self._plan = plan
        self._freepbx = freepbx
        self._globals: dict[str, str | None] = dict(variables)
        self._reach = Reach()
        self._seen: set[object] = set()
        self._waiting: list[_Place] = []
        self._steps = 0

    def reach(self, extension: str, context: str) -> Reach:
        self._go(context, extension, 1, {})
        while self._waiting:
            self._follow(self._waiting.pop())
        return self._reach

    def _go(self, context: str, extension: str, priority: int | str, own: Mapping[str, str | None]) -> None:
        if self._freepbx and context in FREEPBX_PEOPLE and re.fullmatch(r"\d{2,6}", extension):
            self._reach.extensions.add(extension)
            return
        known = {**own, "EXTEN": extension, "CONTEXT": context}
        key = (context, extension, priority, frozenset(known.items()))
        if key not in self._seen:
            self._seen.add(key)
            self._waiting.append(_Place(context, extension, priority, known))

    def _follow(self, place: _Place) -> None:
        for match in self._plan.matches(place.extension, place.context):
            start = match.labels.get(place.priority, 1) if isinstance(place.priority, str) else place.priority
            variables: Variables = ChainMap(dict(place.variables), self._globals)
            for priority in sorted(step for step in match.applications if step >= start):
                self._steps += 1
                if self._steps > MOST_STEPS:
                    self._reach.is_open = True
                    return
                if self._runs(match.applications[priority], place, priority, variables):
                    break

    def _runs(self, application: str, place: _Place, priority: int, variables: Variables) -> bool:
        parts = _APPLICATION.fullmatch(application.strip())
        name, arguments = (parts[1].lower(), parts[2] or "") if parts else ("", "")
        if name in RINGS:
            self._rings(arguments, variables, f"{place.context},{place.extension},{priority}")
        elif name == "queue":
            self._waits(split_outside_brackets(arguments, ",")[0], variables)
        elif name == "set":
            variable, _, value = arguments.partition("=")
            variables[variable.strip().lstrip("_")] = substituted(value, variables)
        elif name in ("goto", "gotoif", "gotoiftime"):
            targets = [arguments] if name == "goto" else list(branches(arguments)[1:])
            for target in targets:
                self._jumps(target, place, variables)
            return all(targets)
        elif name in ("gosub", "gosubif"):
            for target in [arguments] if name == "gosub" else branches(arguments)[1:]:
                self._calls(target, place, variables)
        elif name == "macro":
            context, _, given = arguments.partition(",")
            self._calls(f"macro-{context},s,1({given})", place, variables)
        elif name in ("execif", "execiftime"):
            for branch in branches(arguments)[1:]:
                self._runs(branch or "NoOp()", place, priority, variables)
        elif name in MENUS or (name == "read" and self._freepbx):
            self._chooses(place, variables)
        elif name in OPEN and not self._freepbx:
            self._reach.is_open = True
        return name in ENDS

    def _rings(self, arguments: str, variables: Variables, where: str) -> None:
        raw, *others = split_outside_brackets(_CONTACTS.sub(r"PJSIP/\1", arguments), ",")
        targets = substituted(raw, variables)
        options = substituted(",".join(others[1:]), variables)
        is_bare = options is not None and OUR_OPTIONS not in options
        if targets is None:
            self._reach.is_open = True
            return
        for target in targets.split("&"):
            if local := _LOCAL.fullmatch(target.strip()):
                self._go(local[2], local[1], 1, {})
            elif phone := _PHONE.fullmatch(target.strip()):
                self._reach.phones.add(phone[1])
                if is_bare:
                    self._reach.unlabelled.add((phone[1], where))

    def _waits(self, raw: str, variables: Variables) -> None:
        queue = substituted(raw, variables)
        if queue is None:
            self._reach.is_open = True
        elif queue:
            self._reach.queues.add(queue)

    def _jumps(self, raw: str, place: _Place, variables: Variables) -> None:
        if not raw:
            return
        target = self._target(raw, place, variables)
        if target is not None:
            self._go(*target, variables.maps[0])
        elif not self._freepbx or raw.startswith("from-did-direct-ivr,"):
            self._reach.is_open = True

    def _calls(self, raw: str, place: _Place, variables: Variables) -> None:
        """Follow a subroutine with its arguments (ARG1, ARG2, ...). Skip FreePBX's subroutines that ring no phones."""
        if not raw:
            return
        spot, *given = split_outside_brackets(raw, "(", 1)
        arguments = split_outside_brackets(given[0].removesuffix(")"), ",") if given else []
        target = self._target(spot, place, variables)
        if target is None:
            self._reach.is_open = self._reach.is_open or not self._freepbx
        elif self._freepbx:
            self._dials_extensions(target[0], arguments, variables)
        elif not target[0].startswith("callsieve"):
            named = {f"ARG{index}": substituted(value, variables) for index, value in enumerate(arguments, 1)}
            self._go(*target, {**variables.maps[0], **named})

    def _dials_extensions(self, macro: str, arguments: list[str], variables: Variables) -> None:
        if macro not in FREEPBX_DIALS:
            return
        index = FREEPBX_DIALS[macro]
        extensions = substituted(arguments[index], variables) if index < len(arguments) else None
        if extensions is None:
            self._reach.is_open = True
            return
        # An extension that ends in # is an outside number.
        self._reach.extensions.update(
            extension for extension in extensions.split("-") if extension and not extension.endswith("#")
        )

    def _chooses(self, place: _Place, variables: Variables) -> None:
        if self._plan.has_direct_dial(place.context):
            self._reach.is_open = True
        for extension in self._plan.extensions(place.context):
            if len(extension) <= LONGEST_CHOICE:
                self._go(place.context, extension, 1, variables.maps[0])

    def _target(self, raw: str, place: _Place, variables: Variables) -> tuple[str, str, int | str] | None:
        """Return the place that `raw` (`[[context,]extension,]priority`) names; None if the place is unknown."""
        text = substituted(raw, variables)
        parts = [part.strip() for part in text.split(",")] if text else []
        if not 1 <= len(parts) <= 3 or not parts[-1] or parts[-1][0] in "+-":
            return None
        context, extension = ("", "", *parts[:-1])[-2:]
        priority = int(parts[-1]) if parts[-1].isdecimal() else parts[-1]
        return context or place.context, extension or place.extension, priority
