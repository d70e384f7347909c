"""A simulation of the dialplan: which steps run for a call, and whether one of them screens the call. Pure functions.

    verdict_on(lookup, "2071838750", "from-carrier") -> RouteVerdict(RouteScreening.NOT_SCREENED, "...,1 Dial(...)")

The rules are those of main/pbx.c. Each priority comes from the first match that has this priority, so the steps of a
call may come from several patterns. A context's own matches come before its switches, and its switches before its
includes. A value that is computed during the call is unknown, unless it depends only on the dialled number and globals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from callsieve.pbx.cli_output import Match
from callsieve.pbx.dialplan_text import branches, is_true, split_outside_brackets, substituted

MOST_JUMPS = 10
MOST_STEPS = 1000  # of all branches together
MOST_BRANCHES = 100  # within one another

Lookup = Callable[[str, str], Sequence[Match]]

# Applications by lower-case name. Those in no table continue with the next step.
# They connect or end the call, or let the caller choose where it goes.
_TAKING = """
    agentlogin alarmreceiver audiosocket background bridge bridgewait busy chanspy confbridge congestion dial
    dictate directory disa echo extenspy externalivr followme hangup meetme milliwatt musiconhold page park
    parkandannounce parkedcall pickup pjsiphangup queue receivefax retrydial sendfax transfer voicemail
    voicemailmain waitexten
"""
TAKE_THE_CALL = frozenset(_TAKING.split())
# A script, a loop or a variable decides where they jump.
_ELSEWHERE = (
    "agi asyncagi continuewhile deadagi eagi endwhile exitwhile macro macroexclusive macroif random stasis while"
)
DECIDE_ELSEWHERE = frozenset(_ELSEWHERE.split())
JUMPS = {"goto": "goto", "gotoif": "goto", "gotoiftime": "goto", "gosub": "gosub", "gosubif": "gosub"}
_APPLICATION = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)


class RouteScreening(StrEnum):
    """Whether a call to a number is screened."""

    SCREENED = "screened"
    NOT_SCREENED = "not screened"
    CANNOT_TELL = "cannot tell"


class RouteReason(StrEnum):
    """The reason why a call is not screened, or why this is unknown."""

    TAKEN = "taken"  # an application connects or ends the call
    REFUSED = "refused"  # the place after our front context does not exist
    ENDS = "ends"  # the dialplan has no further step
    MISSING = "missing"  # a jump to a place that does not exist
    COMPUTED = "computed"  # known only during a call
    DEPENDS = "depends"  # some calls are screened, others are not
    SWITCH = "switch"  # another server or a database decides
    LONG = "long"  # too many jumps to follow


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """Whether a call is screened. `where`: the step of the dialplan that shows this.

    `nowhere`: the missing place at which a screened call should continue; empty if no place is missing.
    """

    screening: RouteScreening
    where: str = ""
    why: RouteReason | None = None
    nowhere: str = ""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the dialplan. `priority`: a number, or a label that is not resolved yet."""

    context: str
    extension: str
    priority: int | str = 1

    def __str__(self) -> str:
        return f"{self.context},{self.extension},{self.priority}"

    @property
    def next(self) -> Spot:
        """Return the place with the next priority."""
        return replace(self, priority=int(self.priority) + 1)


SCREEN = Spot("callsieve", "s")


@dataclass(frozen=True, slots=True)
class _Call:
    """A call at a place in the dialplan. `changed`: the variables that the call has set (None: unknown value).

    `returns`: the places to which Return jumps, the latest Gosub last.
    """

    at: Spot
    changed: Mapping[str, str | None] = field(default_factory=dict)
    returns: tuple[Spot, ...] = ()
    jumps: int = 0
    screened: bool = False

    def ends(self, screening: RouteScreening, why: RouteReason, where: str) -> RouteVerdict:
        if not self.screened:
            return RouteVerdict(screening, where, why)
        return RouteVerdict(RouteScreening.SCREENED, nowhere=where if why is RouteReason.MISSING else "")

    @property
    def has_arrived(self) -> bool:
        """Return whether the call was screened and has left CallSieve's contexts, where the simulation ends."""
        return self.screened and self.jumps > 0 and "callsieve" not in self.at.context

    def on(self) -> _Call:
        return replace(self, at=self.at.next)

    def to(self, spot: Spot, returns: tuple[Spot, ...] | None = None) -> _Call:
        return replace(self, at=spot, jumps=self.jumps + 1, returns=self.returns if returns is None else returns)


def verdict_on(
    lookup: Lookup, extension: str, context: str, variables: Mapping[str, str] | None = None
) -> RouteVerdict:
    """Return whether a call to an extension in a context is screened. `variables`: the globals of the dialplan."""
    return _Walk(lookup, variables or {}).verdict(_Call(Spot(context, extension)))


class _Walk:
    """The simulation of one call through all branches of the dialplan."""

    def __init__(self, lookup: Lookup, variables: Mapping[str, str | None]) -> None:
        self._lookup = lookup
        self._variables = variables
        self._steps = 0
        self._depth = 0
        self._seen: dict[object, RouteVerdict] = {}

    def verdict(self, call: _Call) -> RouteVerdict:
        """Return whether the call is screened after its current place. Branches that join again are followed once."""
        key = (call.at, call.returns, call.screened, frozenset(call.changed.items()))
        if key not in self._seen:
            self._depth += 1
            verdict = self._followed(call)
            self._depth -= 1
            if verdict.why is RouteReason.LONG:
                return verdict  # another path may reach it in fewer steps
            self._seen[key] = verdict
        return self._seen[key]

    def _followed(self, call: _Call) -> RouteVerdict:
        after: _Call | RouteVerdict = call
        while isinstance(after, _Call):
            call, self._steps = after, self._steps + 1
            if call.jumps > MOST_JUMPS or self._steps > MOST_STEPS or self._depth > MOST_BRANCHES:
                return call.ends(RouteScreening.CANNOT_TELL, RouteReason.LONG, str(call.at))
            after = self._after(call)
        return after

    def _after(self, call: _Call) -> _Call | RouteVerdict:
        matches = self._lookup(call.at.extension, call.at.context)
        if isinstance(call.at.priority, str):
            labelled = (match.labels[call.at.priority] for match in matches if call.at.priority in match.labels)
            # The console shows no label of the first step, so a label that it does not show is there.
            call = replace(call, at=replace(call.at, priority=next(labelled, 1)))
        priority = int(call.at.priority)
        suppliers = list(_until_certain(m for m in matches if m.is_switch or priority in m.applications))
        if suppliers and call.has_arrived:
            return RouteVerdict(RouteScreening.SCREENED)
        options = [self._at(call, match) for match in suppliers]
        if not suppliers or suppliers[-1].sometimes or suppliers[-1].is_switch:
            options.append(self._without_step(call))
        return self._either(options, str(call.at))

    def _without_step(self, call: _Call) -> _Call | RouteVerdict:
        spot = call.at
        if spot.priority == 1 and call.jumps and spot.extension != "i" and self._lookup("i", spot.context):
            return call.to(replace(spot, extension="i"))
        return call.ends(
            RouteScreening.NOT_SCREENED, RouteReason.MISSING if spot.priority == 1 else RouteReason.ENDS, str(spot)
        )

    def _at(self, call: _Call, match: Match) -> _Call | RouteVerdict:
        if match.is_switch:
            return call.ends(RouteScreening.CANNOT_TELL, RouteReason.SWITCH, f"{match.context} (switch)")
        return self._run(call, match.applications[int(call.at.priority)])

    def _run(self, call: _Call, application: str) -> _Call | RouteVerdict:
        parts = _APPLICATION.fullmatch(application.strip())
        name, arguments = (parts[1].lower(), parts[2] or "") if parts else ("", "")
        where = f"{call.at} {application}"
        if name in TAKE_THE_CALL:
            ours = call.at.context.startswith("callsieve")
            return call.ends(RouteScreening.NOT_SCREENED, RouteReason.REFUSED if ours else RouteReason.TAKEN, where)
        if name in DECIDE_ELSEWHERE:
            return call.ends(RouteScreening.CANNOT_TELL, RouteReason.COMPUTED, where)
        if name == "return":
            if not call.returns:
                return call.ends(RouteScreening.NOT_SCREENED, RouteReason.ENDS, where)
            return replace(call, at=call.returns[-1], returns=call.returns[:-1])
        if name in ("exec", "tryexec"):
            return self._run(call, arguments)
        if name in ("execif", "execiftime"):
            return self._either([self._run(call, branch or "NoOp()") for branch in self._taken(call, arguments)], where)
        if jump := JUMPS.get(name):
            targets = self._taken(call, arguments) if "if" in name else [arguments]
            return self._either([self._jump(call, target, jump, where) for target in targets], where)
        return (self._with_variable(call, arguments) if name == "set" else call).on()

    def _jump(self, call: _Call, target: str, kind: str, where: str) -> _Call | RouteVerdict:
        """Return the call after a Goto or Gosub, or a verdict. Without a target, the call goes on to the next step."""
        if not target:
            return call.on()
        known = self._known(call, split_outside_brackets(target, "(")[0] if kind == "gosub" else target)
        spot = None if known is None else _target(call.at, known)
        if spot is None:
            return call.ends(RouteScreening.CANNOT_TELL, RouteReason.COMPUTED, where)
        if kind == "goto":
            return call.to(spot)
        if spot == SCREEN:
            return replace(call.on(), screened=True, jumps=0)
        return call.to(spot, (*call.returns, call.at.next))

    def _taken(self, call: _Call, arguments: str) -> list[str]:
        """Return the branches that a condition may take: one branch if its value is known, otherwise both branches."""
        condition, yes, no = branches(arguments)
        true = is_true(condition, self._variables_of(call), self._exists)
        return [yes, no] if true is None else [yes if true else no]

    def _known(self, call: _Call, text: str) -> str | None:
        return substituted(text, self._variables_of(call), self._exists)

    def _variables_of(self, call: _Call) -> dict[str, str | None]:
        return {**self._variables, **call.changed, "EXTEN": call.at.extension, "CONTEXT": call.at.context}

    def _exists(self, context: str, extension: str, priority: str) -> bool | None:
        """Evaluate DIALPLAN_EXISTS. Return None if the result depends on the caller or the time."""
        matches = [
            match
            for match in self._lookup(extension, context)
            if match.is_switch or priority in map(str, match.applications)
        ]
        certain = [match for match in matches if not match.is_switch and not match.sometimes]
        return None if matches and not certain else bool(certain)

    def _with_variable(self, call: _Call, assignment: str) -> _Call:
        name, _, text = assignment.partition("=")
        return replace(call, changed={**call.changed, name.strip().lstrip("_"): self._known(call, text)})

    def _either(self, options: Sequence[_Call | RouteVerdict], where: str) -> _Call | RouteVerdict:
        if len(options) == 1:
            return options[0]
        calls = [option for option in options if isinstance(option, _Call)]
        if len(calls) == len(options) and len({(call.at, call.returns, call.screened) for call in calls}) == 1:
            return _merged(calls)
        return _agreed([self.verdict(option) if isinstance(option, _Call) else option for option in options], where)


def _merged(calls: Sequence[_Call]) -> _Call:
    names = {name for call in calls for name in call.changed}
    first, *others = calls
    same = {name for name in names if all(call.changed.get(name) == first.changed.get(name) for call in others)}
    changed = {name: first.changed.get(name) if name in same else None for name in names}
    return replace(first, changed=changed, jumps=max(call.jumps for call in calls))


def _until_certain(matches: Iterable[Match]) -> Iterator[Match]:
    for match in matches:
        yield match
        if not match.sometimes and not match.is_switch:
            return


def _agreed(verdicts: Sequence[RouteVerdict], where: str) -> RouteVerdict:
    kinds = {verdict.screening for verdict in verdicts}
    if RouteScreening.CANNOT_TELL in kinds:
        return next(verdict for verdict in verdicts if verdict.screening is RouteScreening.CANNOT_TELL)
    if len(kinds) > 1:
        return RouteVerdict(RouteScreening.CANNOT_TELL, where, RouteReason.DEPENDS)
    return next((verdict for verdict in verdicts if not verdict.nowhere), verdicts[0])


def _target(at: Spot, text: str) -> Spot | None:
    """Parse the target `context,extension,priority`, whose first parts may be missing. Return None for other texts."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 3 or not all(parts) or parts[-1][0] in "+-":
        return None
    context, extension = (at.context, at.extension, *parts[:-1])[-2:] if len(parts) != 2 else (at.context, parts[0])
    return Spot(context, extension, int(parts[-1]) if parts[-1].isdecimal() else parts[-1])
