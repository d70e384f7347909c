"""The doctor's test that calls are screened. It follows calls from each trunk to each number through the dialplan."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from callsieve.doctor import trunk_numbers
from callsieve.doctor.call_route import RouteReason, RouteScreening, RouteVerdict, verdict_on
from callsieve.doctor.dialplan import INSTALL, RELOAD, contexts_calling_us
from callsieve.doctor.finding import CheckContext, Finding, and_more, fail, ok, unknown, warn
from callsieve.doctor.trunk_numbers import TriedNumber, TrunkContext, freepbx_sends_us_calls, numbers_to_try, trunks_of
from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.install.front_context import front_context_of
from callsieve.pbx.cli_output import Dialplan, Match, globals_in, matches_in
from reputation.store.calls import dialled_numbers
from reputation.wording import N_, Places, Wording, listed

MOST_NAMED = 3
TRUNKS_RELOAD = 'asterisk -rx "module reload res_pjsip.so"'
ON_FREEPBX = (
    f"install our FreePBX module; or set Connectivity > Trunks > pjsip Settings > General > Context: {TRUNK_CONTEXT}"
)
DIALLED_DAYS = 7
NO_CONTEXT = N_("no dialplan context asks CallSieve: no call is screened")
NO_TRUNK = N_("no trunk's calls arrive in {context}: no call is screened")
NOT_ALL = N_("calls to these numbers are NOT screened: {numbers}")
NO_NUMBER = N_("no call to any of these numbers is screened: {numbers}")
NO_ROUTE = N_("CallSieve's FreePBX module screens no inbound route")
# `callsieve status` and the console say "not connected" where the check of the trunks finds one of these.
NOT_CONNECTED = frozenset({NO_CONTEXT, NO_TRUNK, NO_ROUTE, NO_NUMBER})
WORDS = {
    RouteReason.TAKEN: Wording("{number} from {trunk}: {step} runs before CallSieve"),
    RouteReason.ENDS: Wording("{number} from {trunk}: the dialplan ends at {step}"),
    RouteReason.MISSING: Wording("{number} from {trunk}: {step} does not exist"),
    RouteReason.COMPUTED: Wording("{number} from {trunk}: the target of {step} is known only during a call"),
    RouteReason.DEPENDS: Wording("{number} from {trunk}: some calls are screened and some are not, from {step} on"),
    RouteReason.SWITCH: Wording("{number} from {trunk}: {step} depends on another server or a database"),
    RouteReason.LONG: Wording("{number} from {trunk}: more than 10 jumps, the last to {step}"),
}
_ASKABLE = re.compile(r"[0-9A-Za-z+*#_.-]+", re.ASCII)


class _EnoughAsked(Exception):
    """The limit of commands on Asterisk's console is reached, so no further command may run."""


class Extensions:
    """The extensions in a context that match a number, as Asterisk's console reports them."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._matches: dict[tuple[str, str], list[Match]] = {}
        self._orders: dict[str, list[tuple[str, bool]]] = {}

    def matches(self, extension: str, context: str) -> list[Match]:
        """Return the matches in Asterisk's order: of the context, its switches, its includes. Raise ConsoleError."""
        dialplan = self._context.dialplan
        if context not in dialplan.contexts or not _ASKABLE.fullmatch(extension):
            return []
        own = self._asked(extension, context)
        matches: list[Match] = []
        for reached, at_times in self._order(context):
            # The console omits contexts that are included only at certain times.
            more = self._asked(extension, reached) if at_times else own
            matches += [
                replace(match, sometimes=match.sometimes or at_times) for match in more if match.context == reached
            ]
            if reached in dialplan.switches:
                matches.append(Match(reached, extension, is_switch=True))
        return matches

    def _order(self, context: str) -> list[tuple[str, bool]]:
        if context not in self._orders:
            self._orders[context] = list(_reached(self._context.dialplan, context, set()))
        return self._orders[context]

    def _asked(self, extension: str, context: str) -> list[Match]:
        key = (extension, context)
        if key not in self._matches:
            if len(self._matches) >= self._context.most_questions:
                raise _EnoughAsked
            self._matches[key] = matches_in(self._context.ask(f"dialplan show {extension}@{context}"))
        return self._matches[key]


def _reached(
    dialplan: Dialplan, context: str, seen: set[tuple[str, bool]], *, at_times: bool = False
) -> Iterator[tuple[str, bool]]:
    if (context, at_times) in seen:
        return
    seen.add((context, at_times))
    yield context, at_times
    for outer, inner in dialplan.includes:
        if outer == context and inner in dialplan.contexts:
            yield from _reached(dialplan, inner, seen, at_times=at_times or (outer, inner) in dialplan.timed)


@dataclass(slots=True)
class Survey:
    """A summary of how calls to all tried numbers went through the dialplan."""

    followed: int = 0
    unscreened: list[Wording] = field(default_factory=list)
    bypassing: set[str] = field(default_factory=set)  # their trunks
    unclear: list[Wording] = field(default_factory=list)
    nowhere: list[Wording] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)
    left_out: int = 0


def are_screened(context: CheckContext) -> Finding:
    """Check that calls from each trunk to each number that it may send are screened."""
    asking = sorted(contexts_calling_us(context.dialplan))
    trunks = trunks_of(context)
    for trunk in trunks:
        if trunk.context is not None and trunk.context not in context.dialplan.contexts:
            where: Places = {"trunk": trunk.name, "context": trunk.context}
            return fail(
                Wording("calls are LOST: {trunk} arrives in {context}, a context that is not loaded", where), RELOAD
            )
    if _module_screens(context, trunks):
        return _screened_by_module(context)
    if not asking and not any((trunk.context or "").startswith("callsieve") for trunk in trunks):
        contexts = context.dialplan.contexts
        fronts = sorted(front_context_of(name) for name in contexts if front_context_of(name) in contexts)
        nobody = Wording(NO_TRUNK, {"context": ", ".join(fronts)}) if fronts else Wording(NO_CONTEXT)
        return fail(nobody, _remedy(context, trunks))
    if asking == [TRUNK_CONTEXT] and not freepbx_sends_us_calls(context.place.etc):
        return warn(Wording(NO_TRUNK, {"context": TRUNK_CONTEXT}), ON_FREEPBX)
    if not trunks:
        asked: Places = {"contexts": ", ".join(asking)}
        return unknown(
            Wording("{contexts} asks CallSieve, but no trunk was found to check", asked),
            Wording("name the trunk as [[trunk]] in the settings"),
        )
    survey = survey_of(context, trunks)
    if survey.unscreened:
        is_everything = len(survey.unscreened) == survey.followed and not survey.left_out
        problem = Wording(NO_NUMBER if is_everything else NOT_ALL, {"numbers": _named(survey.unscreened)})
        return fail(problem, _remedy(context, [trunk for trunk in trunks if trunk.name in survey.bypassing]))
    names: Places = {"count": survey.followed, "trunks": ", ".join(dict.fromkeys(trunk.name for trunk in trunks))}
    if not survey.followed:
        return unknown(
            Wording("no number was found that could be checked from {trunks}", names),
            Wording("name the numbers as [[did]] in the settings"),
        )
    singular = Wording("1 number from {trunks} was checked, and no unscreened path was found", names)
    many = Wording("{count} numbers from {trunks} were checked, and no unscreened path was found", names)
    about = singular if survey.followed == 1 else many
    if survey.left_out:
        about = Wording("{about}; {count} more were not checked", {"about": about, "count": survey.left_out})
    return ok(about)


def _module_screens(context: CheckContext, trunks: Sequence[TrunkContext]) -> bool:
    """Return whether CallSieve's FreePBX module is installed and every trunk's calls reach FreePBX's inbound routes."""
    dialplan = context.dialplan
    contexts = [trunk.context for trunk in trunks]
    return trunk_numbers.is_module_installed(dialplan) and all(
        dialplan_context == TRUNK_CONTEXT
        or (dialplan_context is not None and trunk_numbers.takes_calls_of(dialplan, dialplan_context))
        for dialplan_context in contexts
    )


def _screened_by_module(context: CheckContext) -> Finding:
    routes = trunk_numbers.inbound_routes(context.dialplan)
    if not routes.screened:
        return warn(Wording(NO_ROUTE), "fwconsole reload; Connectivity > Inbound Routes")
    about = Wording("CallSieve's FreePBX module screens {count} inbound routes", {"count": len(routes.screened)})
    if routes.left_out:
        left: Places = {"about": about, "routes": ", ".join(routes.left_out[:MOST_NAMED])}
        about = and_more(
            Wording("{about}; deliberately not screened: {routes}", left), len(routes.left_out[MOST_NAMED:])
        )
    return ok(about)


def are_known(context: CheckContext) -> Finding:
    """Check that calls to each number that trunks may send can be followed through the dialplan to an extension."""
    if _module_screens(context, trunks_of(context)):
        return ok(Wording('FreePBX\'s inbound routes: see the check "trunks"'))
    survey = survey_of(context, trunks_of(context))
    if survey.unclear:
        return unknown(
            Wording(
                "calls to these numbers cannot be followed through the dialplan: {numbers}",
                {"numbers": _named(survey.unclear)},
            ),
            Wording("check the dialplan at these steps, or call the number and watch `callsieve calls tail`"),
        )
    if survey.nowhere:
        return warn(
            Wording(
                "calls to these numbers are screened, but then no extension takes them: {numbers}",
                {"numbers": _named(survey.nowhere)},
            ),
            Wording("add these numbers to the dialplan context in which CallSieve continues a screened call"),
        )
    about = Wording("calls to {count} numbers were followed through the dialplan", {"count": survey.followed})
    if survey.not_taken:
        missing: Places = {"about": about, "numbers": ", ".join(survey.not_taken[:MOST_NAMED])}
        about = Wording("{about}; no trunk's context accepts {numbers}", missing)
    return ok(about)


def survey_of(context: CheckContext, trunks: Sequence[TrunkContext]) -> Survey:
    """Follow a call to each number from each trunk's context through the dialplan. Raise ConsoleError."""
    extensions, survey = Extensions(context), Survey()
    variables = globals_in(context.ask("dialplan show globals"))
    since = context.now - DIALLED_DAYS * 86_400
    dialled = context.read_rows(lambda db: dialled_numbers(db, since, context.now))
    contexts: set[str] = set()
    taken: dict[str, bool] = {}
    for trunk in trunks:
        dialplan_context = trunk.context
        if dialplan_context is None:
            survey.unclear.append(Wording("the context of {trunk} was not found", {"trunk": trunk.name}))
            continue
        for number in numbers_to_try(context, trunk, dialplan_context, variables, dialled):
            if dialplan_context in contexts and not number.is_named:
                continue  # another trunk's calls arrive there as well
            try:
                verdict = _verdict(extensions, number, dialplan_context, variables)
            except _EnoughAsked:
                survey.left_out += 1
                continue
            if number.is_named:
                taken[number.name] = taken.get(number.name, False) or verdict is not None
            if verdict is not None:
                _note(survey, number, trunk, verdict)
        contexts.add(dialplan_context)
    survey.not_taken = [name for name, is_taken in taken.items() if not is_taken]
    return survey


def _verdict(
    extensions: Extensions, number: TriedNumber, context: str, variables: dict[str, str]
) -> RouteVerdict | None:
    """Return the worst result among the ways to write a number that the context accepts; None if it accepts none."""
    matches_by_form = {form: extensions.matches(form, context) for form in number.forms}
    taken = [
        form for form, matches in matches_by_form.items() if any(m.is_switch or 1 in m.applications for m in matches)
    ]
    verdicts = [verdict_on(extensions.matches, form, context, variables) for form in taken]
    verdicts = [verdict for verdict in verdicts if verdict.why is not RouteReason.REFUSED]
    order = (RouteScreening.NOT_SCREENED, RouteScreening.CANNOT_TELL, RouteScreening.SCREENED)
    return min(verdicts, key=lambda verdict: (order.index(verdict.screening), bool(verdict.nowhere)), default=None)


def _note(survey: Survey, number: TriedNumber, trunk: TrunkContext, verdict: RouteVerdict) -> None:
    survey.followed += 1
    about: Places = {"number": number.name, "trunk": trunk.name, "step": verdict.where or verdict.nowhere}
    if verdict.why is not None:
        problem = Wording(WORDS[verdict.why].template, about)
        if verdict.screening is RouteScreening.CANNOT_TELL:
            survey.unclear.append(problem)
        else:
            survey.unscreened.append(problem)
            survey.bypassing.add(trunk.name)
    elif verdict.nowhere and not number.name.startswith("_"):
        survey.nowhere.append(Wording(WORDS[RouteReason.MISSING].template, about))


def _remedy(context: CheckContext, trunks: Sequence[TrunkContext]) -> str | Wording:
    """Return how to send the calls of these trunks through CallSieve: a change of `context=` for each trunk."""
    if TRUNK_CONTEXT in context.dialplan.contexts:
        return ON_FREEPBX
    ours = (trunk.context for trunk in trunks if trunk.context and not trunk.context.startswith("callsieve"))
    contexts = list(dict.fromkeys(ours)) or ["from-trunk"]
    fronts = [front_context_of(dialplan_context) for dialplan_context in contexts]
    steps: Places = {
        "command": " ".join((INSTALL, *(f"--inbound {dialplan_context}" for dialplan_context in contexts))),
        "context": ", ".join(fronts),
        "reload": TRUNKS_RELOAD,
    }
    if context.dialplan.contexts.issuperset(fronts):
        return Wording("in pjsip.conf, set `context = {context}` for each trunk; then {reload}", steps)
    return Wording("{command}; then set `context = {context}` for the trunk", steps)


def _named(wordings: Sequence[Wording]) -> Wording:
    wordings = sorted(wordings, key=lambda wording: str(wording.places.get("number", "")).startswith("_"))
    first = listed(wordings[:MOST_NAMED], "{some}; {more}")
    return and_more(first if isinstance(first, Wording) else Wording(first), len(wordings[MOST_NAMED:]))
