"""The doctor's checks of the dialplan: CallSieve's contexts, its feature codes, and the options of each Dial."""

import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from callsieve.doctor import trunk_numbers
from callsieve.doctor.finding import FREEPBX_CONTEXT, CheckContext, Finding, and_more, differs, fail, ok, unknown, warn
from callsieve.doctor.trunk_numbers import TrunkContext, numbers_to_try, trunks_of
from callsieve.health import CheckStatus
from callsieve.install.freepbx import OUTBOUND_HOOK, PHONE_HOOKS, TRUNK_CONTEXT, PredialHook, calls_by_macro
from callsieve.install.front_context import asked_in_files, is_answered_at
from callsieve.install.install import TRUNK_LINES, dialplan_text
from callsieve.install.plan import (
    DIALPLAN_FILES,
    FREEPBX_FILES,
    OUR_AGI,
    InstallError,
    agi_of,
    asked_for,
    is_included,
    packaged_dialplan,
)
from callsieve.pbx.cli_client import ConsoleError
from callsieve.pbx.cli_output import Dialplan, DialplanStep, features_in, globals_in
from callsieve.pbx.config_files import lines_of, read_text, walk
from callsieve.pbx.dialplan_reach import OUR_OPTIONS, DialplanReach
from callsieve.settings import SettingsError
from reputation.wording import Places, Wording, listed

# [callsieve-codes], and docs/how-to/codes.md.
FEATURE_CODES = ("*25", "*26", "*29", "*33", "*34", "*35", "*36", "*37", "*38", "*39")
CODES_CONTEXT = "callsieve-codes"
# FreePBX's contexts of a single Dial, and that of a parked call's return: nobody dials in them.
FREEPBX_DIALS = ("-with-exten", "park-dial")

_CALLS_US = re.compile(r"Gosub(?:If)?\(.*?\bcallsieve,s,1")
# A Gosub to nowhere would end an emergency call.
EMERGENCY_LINE = 'GosubIf($["${DIALPLAN_EXISTS(callsieve-emergency,s,1)}" = "1"]?callsieve-emergency,s,1)'
_EMERGENCY = re.compile(r"Gosub(?:If)?\(.*?\bcallsieve-emergency,s,1")
_PASSCODE = re.compile(r"\bcallsieve-explain,s,1\(passcode\)")
_CODE = re.compile(r"[0-9*#]{1,20}")
_DIAL = re.compile(r"(?:Dial|Queue|FollowMe)\(")
_NESTED = re.compile(r"\([^()]*\)")
_EMPTY = re.compile(r"(?:Return|MacroExit|NoOp)\(\)|Gosub\(deprecated-macro,")  # FreePBX's own hook, which does nothing
INSTALL = "callsieve asterisk install"
DIAL_LINE = TRUNK_LINES[1].strip()
RELOAD = 'asterisk -rx "dialplan reload"'
MOST_NUMBERS = 500
MOST_NAMED = 20


def others(dialplan: Dialplan) -> list[DialplanStep]:
    """Return the steps of the dialplan outside CallSieve's own contexts."""
    return [step for step in dialplan.steps if not step.context.startswith("callsieve")]


def contexts_calling_us(dialplan: Dialplan) -> frozenset[str]:
    """Return the contexts that call CallSieve's dialplan."""
    return frozenset(step.context for step in others(dialplan) if _CALLS_US.search(step.application))


def is_loaded(context: CheckContext) -> Finding:
    """Check that Asterisk has loaded all contexts of CallSieve, in the installed version."""
    lines = lines_of(Path("callsieve.conf"), packaged_dialplan())
    ours = {line.section for line in lines if line.section} - {"globals"}
    missing = sorted(ours - context.dialplan.contexts)
    if not missing:
        return _same_version(context, len(ours))
    remedy = RELOAD if _is_installed(context) else INSTALL
    if lost := contexts_calling_us(context.dialplan):
        callers: Places = {"contexts": ", ".join(sorted(lost))}
        return fail(
            Wording("calls are LOST: {contexts} calls [callsieve], a context that is not loaded", callers), remedy
        )
    if len(missing) == len(ours):
        return fail(Wording("not loaded"), remedy)
    return fail(Wording("not loaded: {contexts}", {"contexts": ", ".join(missing)}), remedy)


def _is_installed(context: CheckContext) -> bool:
    place = context.place
    lines = list(walk(place.etc, place.etc / "extensions.conf"))
    paths = [place.dialplan / name for name in DIALPLAN_FILES]
    return all(path.exists() and is_included(place.etc, lines, path) for path in paths)


def _same_version(context: CheckContext, count: int) -> Finding:
    path = context.place.dialplan / "callsieve.conf"
    text = read_text(path)
    agi = agi_of(text or "")
    if text is None or agi is None:
        etc = context.place.etc
        where = next((line for line in walk(etc, etc / "extensions.conf") if line.section == "callsieve"), None)
        if where is None:
            lost = Wording(
                "CallSieve's {count} contexts are loaded, but no file contains them: the next reload removes them",
                {"count": count},
            )
            return warn(lost, INSTALL)
        loaded: Places = {"count": count, "file": str(where.file)}
        return ok(Wording("CallSieve's {count} contexts are loaded, from {file}", loaded))
    try:
        names = (name for name in FREEPBX_FILES if name in DIALPLAN_FILES or path.with_name(name).exists())
        key = "" if agi == OUR_AGI or isinstance(context.read, SettingsError) else context.loaded.settings.agi.key
        current = {path.with_name(name): dialplan_text(name, agi, key) for name in names}
    except InstallError as error:
        return fail(str(error))
    for path, wanted in current.items():
        if read_text(path) != wanted:
            return warn(
                Wording("{file} belongs to another version of CallSieve", {"file": str(path)}), differs(INSTALL)
            )
    return ok(Wording("CallSieve's {count} contexts are loaded", {"count": count}))


def queries_this_daemon(context: CheckContext) -> Finding:
    """Check that the dialplan sends its requests to the address on which this daemon listens."""
    asked = _asked(context)
    if asked is None:
        return unknown(Wording("[callsieve] is not loaded"))
    listen = context.loaded.settings.agi.listen
    if asked == OUR_AGI:
        return _classic(context)
    if not is_answered_at(asked, listen):
        differing: Places = {"asked": asked, "listen": listen}
        return fail(
            Wording("the dialplan queries {asked}, but the settings say {listen}", differing), f"{INSTALL}; {RELOAD}"
        )
    return ok(asked)


def _asked(context: CheckContext) -> str | None:
    try:
        address = globals_in(context.ask("dialplan show globals")).get("CALLSIEVE_AGI", "")
        return address or _default_agi(context.dialplan)
    except ConsoleError:
        asked = asked_in_files(context.place.etc)
        if asked is None or is_answered_at(asked, context.loaded.settings.agi.listen):
            raise  # the files are right, but Asterisk may not have loaded them
        return asked


def _default_agi(dialplan: Dialplan) -> str | None:
    addresses = (agi_of(step.application) for step in dialplan.steps if step.context == "callsieve")
    return next((agi for agi in addresses if agi is not None), None)


def _classic(context: CheckContext) -> Finding:
    directory, socket = context.place.agi_bin, context.loaded.socket_path
    if directory is None:
        return unknown(Wording("the dialplan uses the classic script, but Asterisk does not say where its scripts are"))
    for name in asked_for(packaged_dialplan()):
        path = directory / OUR_AGI / name
        text, where = read_text(path), {"file": str(path), "socket": str(socket)}
        if text is None or not path.stat().st_mode & stat.S_IXOTH:
            return fail(Wording("{file} is missing, or Asterisk may not run it", where), f"{INSTALL} --classic")
        if str(socket) not in text:
            remedy = Wording("{command}, as the daemon's user or root", {"command": f"{INSTALL} --classic"})
            return warn(Wording("{file} does not connect to {socket}", where), remedy)
    return ok(Wording("the dialplan uses the classic scripts in {folder}", {"folder": str(directory / OUR_AGI)}))


def has_our_dial_options(context: CheckContext) -> Finding:
    """Check that a Dial has CallSieve's options, which give phones the ring tone, the warning and personal lists."""
    steps = others(context.dialplan)
    if TRUNK_CONTEXT in context.dialplan.contexts:
        return _freepbx_runs_our_hooks(steps)
    if any("${CALLSIEVE_DIAL}" in step.application for step in steps if _DIAL.search(step.application)):
        return ok(Wording("the options of Dial() contain ${CALLSIEVE_DIAL}"))
    if FREEPBX_CONTEXT in context.dialplan.contexts:
        return warn(Wording("FreePBX makes its own Dial, without CallSieve's options"), f"{INSTALL} --freepbx")
    return warn(
        Wording("no Dial() has the options ${CALLSIEVE_DIAL}: no distinctive rings, and personal lists have no effect"),
        DIAL_LINE,
    )


def _freepbx_runs_our_hooks(steps: list[DialplanStep]) -> Finding:
    """Check that FreePBX runs CallSieve's hooks before it dials a phone. Its own Dial cannot have our options."""
    if any(calls_by_macro(step.context, step.application) for step in steps):
        return warn(
            Wording("this FreePBX uses Macro(), as versions 15 and 16 do: its name lookups overwrite CallSieve's tags"),
            "FreePBX 17",
        )
    asked = {(step.context, hook) for step in steps for hook in PHONE_HOOKS if f"{hook.asks},s,1" in step.application}
    missing = [hook for hook in PHONE_HOOKS if (hook.context, hook) not in asked]
    if not missing:
        return ok(Wording("FreePBX asks CallSieve before its Dial: tags, rings, whispers and personal lists work"))
    about: Places = {"contexts": ", ".join(hook.context for hook in missing)}
    taken = [hook for hook in missing if not is_free(hook, steps)]
    if not taken:
        return warn(
            Wording(
                "FreePBX does not ask CallSieve in {contexts}: FreePBX's name lookups overwrite CallSieve's tags there",
                about,
            ),
            f"{INSTALL} --freepbx",
        )
    lines: Places = {"lines": ", ".join(f"[{hook.context}] {hook.line}" for hook in taken)}
    return warn(
        Wording(
            "other dialplan code already uses {contexts}: FreePBX's name lookups overwrite CallSieve's tags there",
            about,
        ),
        Wording("add in each of these contexts, before Return():  {lines}", lines),
    )


def are_labelled(context: CheckContext) -> Finding:
    """Check that calls to own numbers reach only Dials that have CallSieve's options."""
    finding = has_our_dial_options(context)
    if finding.status is not CheckStatus.OK or TRUNK_CONTEXT in context.dialplan.contexts:
        return finding
    bare = dict(_unlabelled(context, trunks_of(context)))
    if not bare:
        return finding
    places = [Wording("{number} ({step})", {"number": number, "step": step}) for number, step in bare.items()]
    named = listed(places[:MOST_NAMED], "{some}; {more}")
    numbers = and_more(named if isinstance(named, Wording) else Wording(named), len(places[MOST_NAMED:]))
    return warn(
        Wording("calls to these numbers ring without label and whisper: {numbers}", {"numbers": numbers}), DIAL_LINE
    )


def _unlabelled(context: CheckContext, trunks: list[TrunkContext]) -> Iterator[tuple[str, str]]:
    """Yield numbers that ring a phone without CallSieve's options, with the step of the Dial. Raise ConsoleError."""
    variables = globals_in(context.ask("dialplan show globals"))
    plan = DialplanReach(context.ask("dialplan show"), {**variables, OUR_OPTIONS: OUR_OPTIONS})
    outside = {f"{kind}/{trunk.name}" for trunk in trunks for kind in ("PJSIP", "IAX2", "SIP")}
    for trunk in trunks:
        dialplan_context = trunk.context or ""
        for number in numbers_to_try(context, trunk, dialplan_context, variables, ())[:MOST_NUMBERS]:
            reaches = [plan.of(form, dialplan_context) for form in number.forms if plan.matches(form, dialplan_context)]
            steps = sorted(step for reach in reaches for phone, step in reach.unlabelled if phone not in outside)
            if steps:
                yield number.name, steps[0]


def is_free(hook: PredialHook, steps: Iterable[DialplanStep]) -> bool:
    """Return whether this FreePBX hook contains no step that does anything, so CallSieve can use it."""
    return all(_EMPTY.match(step.application) for step in steps if step.context == hook.context)


def reports_emergencies(context: CheckContext) -> Finding:
    """Check that emergency calls open the emergency window, during which no call is screened."""
    if any(_EMERGENCY.search(step.application) for step in others(context.dialplan)):
        return ok(Wording("an emergency call suspends screening, so call-backs get through"))
    if any(f"{OUTBOUND_HOOK.asks},s,1" in step.application for step in others(context.dialplan)):
        return ok(Wording("an emergency call suspends screening, if FreePBX's route is marked Emergency"))
    return warn(
        Wording("the dialplan does not report emergency calls: emergency services that call back are screened"),
        Wording("add this line before the Dial of each emergency number: {line}", {"line": EMERGENCY_LINE}),
    )


def has_free_codes(context: CheckContext) -> Finding:
    """Check that nothing else in the dialplan uses CallSieve's feature codes."""
    if trunk_numbers.is_module_installed(context.dialplan):
        return ok(Wording("FreePBX manages the feature codes: Admin > Feature Codes"))
    features = features_in(context.ask("features show"))
    clashes = [
        Wording("{code} is already used for {name}", {"code": code, "name": name})
        for name, code in features.items()
        if code in FEATURE_CODES
    ]
    # Phones that dial our codes do not use the context for trunks, whose patterns match every number.
    dialled = (step for step in others(context.dialplan) if not step.context.endswith(FREEPBX_DIALS))
    clashes += code_clashes(step for step in dialled if step.context != TRUNK_CONTEXT)
    if clashes and not any(inner == CODES_CONTEXT for _, inner in context.dialplan.includes):
        taken: Places = {"context": CODES_CONTEXT, "taken": listed(clashes[:4], "{some}; {more}")}
        return ok(
            Wording(
                "CallSieve's feature codes are not in use: no context includes {context}. Codes already taken: {taken}",
                taken,
            )
        )
    if clashes:
        remedy = Wording("change the other code, or do not include CallSieve's context of feature codes")
        if context.is_freepbx:
            remedy = Wording(
                "change the other code (Admin > Feature Codes), or do not include CallSieve's context of feature codes"
            )
        return warn(listed(clashes[:4], "{some}; {more}"), remedy)
    swallowing = [f"{name} ({code})" for name, code in features.items() if FEATURE_CODES[0].startswith(code)]
    if swallowing and any(has_hangup_option(step.application) for step in others(context.dialplan)):
        return warn(
            Wording("during a call {feature} takes the first keys of CallSieve's codes", {"feature": swallowing[0]}),
            Wording("in features.conf give this feature a code of two keys, or take h and H out of Dial's options"),
        )
    return ok(Wording("the feature codes {codes} are free", {"codes": ", ".join(FEATURE_CODES)}))


def passcode_code(context: CheckContext) -> str:
    """Return the feature code that speaks a passcode for a person's page; empty if phones cannot dial such a code."""
    try:
        dialplan = context.dialplan
    except ConsoleError:
        return ""
    included = {inner for _, inner in dialplan.includes}
    codes = (
        step.extension
        for step in dialplan.steps
        if _PASSCODE.search(step.application)
        and _CODE.fullmatch(step.extension)
        and (step.context in included or not step.context.startswith("callsieve"))
    )
    return min(codes, default="")


def code_clashes(steps: Iterable[DialplanStep]) -> list[Wording]:
    """Return, in words, extensions and patterns of other contexts that match one of CallSieve's feature codes."""
    clashes: dict[tuple[str, str], Wording] = {}
    for step in steps:
        for code in FEATURE_CODES:
            if step.extension == code or pattern_takes(step.extension, code):
                taken: Places = {"code": code, "extension": step.extension, "context": step.context}
                clashes.setdefault(
                    (step.extension, step.context), Wording("{code} is already used as {extension} in {context}", taken)
                )
    return list(clashes.values())


def pattern_takes(pattern: str, code: str) -> bool:
    """Return whether an extension pattern matches a feature code. A pattern that matches anything does not count."""
    if not pattern.startswith("_") or pattern[1:2] in (".", "!"):
        return False
    parts = re.findall(r"\[[^]]*]|[^-]", pattern[1:])  # a dash outside brackets is decoration
    try:
        return re.fullmatch("".join(_regex_of(part) for part in parts), code) is not None
    except re.error:
        return False


def _regex_of(part: str) -> str:
    classes = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}
    return part if part.startswith("[") else classes.get(part.upper(), re.escape(part))


def has_hangup_option(application: str) -> bool:
    """Return whether a Dial has option h or H, with which a key ends the call."""
    if not application.startswith("Dial("):
        return False
    arguments = application[5:].removesuffix(")")
    while _NESTED.search(arguments):
        arguments = _NESTED.sub("", arguments)
    options = arguments.split(",")[2:3]
    return bool(options and re.search(r"[hH]", re.sub(r"\$\{[^}]*}", "", options[0])))
