"""The commands `callsieve policy`: list, check, show, explain, test, activate, and share with other sites."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from callsieve.calls.records import opinion_shown
from callsieve.cli.errors import CommandError, fail_with, warn
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, has_store, perform, print_json, settings_of
from callsieve.cli.output import Cell, bold, dim, lines, plural, print_pairs, print_table, say, say_undo, word
from callsieve.policy import central, operations
from callsieve.policy.catalogue import (
    all_problems,
    in_force,
    known_names,
    known_policies,
    names_to_check,
    place_of,
    policy_files,
    running_or_settings,
)
from callsieve.policy.central import SitePolicy, has_changed, own_published, site_policies
from callsieve.policy.records import NO_ROUTE, cases_tried, stops_calls
from callsieve.policy.views import policy_shown
from callsieve.policy_selection import policy_called, running_name, text_of
from callsieve.settings import Loaded
from callsieve.simulate import Opinion, Question, QuestionError, SettingsFacts, call_of, opinion_of, situation_about
from callsieve.system.privileges import acting_for
from callsieve.telemetry import is_fresh, read_telemetry
from callsieve.text.times import TimeError, instant_of, when
from callsieve.wiring import policies_of, site_of
from policies.cases import MAX_BYTES, Trial, Tried, read_trials, run_trial
from policies.decision import IncomingCall
from policies.engine import CAPS, STEPS
from policies.explanation import PASSES
from policies.files import nearest
from policies.lint import trusting_rules, unknown_names
from policies.policy import Case, Policy, PolicyError, PolicySet, Rule
from policies.situation import situation_of
from reputation.model import Attestation, LevelChange, Reputation, Verification
from reputation.speakers import account_of
from reputation.store.site import PublishedPolicy

NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A preset, a policy's name, or a FILE.toml.", show_default=False),
]


def list_policies(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the policies, and the calls for which each policy is in force."""
    loaded = settings_of(config)
    rows = policy_files(loaded)
    if as_json:
        print_json(rows)
        return
    table = [
        (
            row.name,
            Text(", ".join(row.in_force_for), style="green"),
            Text(f"error: {row.problem}", style="red") if row.problem else place_of(row.name, row.where),
        )
        for row in rows
    ]
    print_table(("policy", "active for", "where"), table, keep=(0,))
    _say_what_is_read(loaded)
    if loaded.settings.hub.address and has_store(loaded):
        with existing_store(loaded) as db:
            ours = own_published(db)
            _say_shared(ours, site_policies(db, loaded))
        for name in (policy.name for policy in ours if has_changed(policy, loaded)):
            warn(f"{name} has changed since it was published; to publish it again: callsieve policy publish {name}")


def _say_what_is_read(loaded: Loaded) -> None:
    report, chosen = read_telemetry(loaded.state), running_or_settings(loaded)
    if report is not None and not is_fresh(report):
        warn(f"the daemon has not reported lately: it will use policy {chosen} from its next start")
    elif report is not None and report.policy != chosen:
        warn(f"the daemon still uses policy {report.policy} and has not loaded {chosen}: see the daemon's log")


def _say_shared(ours: Sequence[PublishedPolicy], others: Sequence[SitePolicy]) -> None:
    for published in ours:
        say(f"{published.name} has been published to all other sites since {when(published.published_at)}.")
    for policy in others:
        if policy.problem:
            warn(f"{policy.problem}; the accepted version stays" if policy.is_accepted else str(policy.problem))
        elif policy.published_at is None:
            warn(
                f"{policy.name}: {policy.site} has withdrawn the policy, or is not followed; the accepted version stays"
            )


def check(name: NameArgument = None, config: ConfigOption = None) -> None:
    """Check one or all policies, and print every error. Exit code 2 if a policy is unusable."""
    loaded = settings_of(config)
    names = names_to_check(loaded) if name is None else [name]
    with existing_store(loaded) if has_store(loaded) else nullcontext() as db:
        known = known_names(loaded, db)
    problems: list[str] = []
    for policy_name in names:
        try:
            policy = policy_called(policy_name, loaded)
        except PolicyError as error:
            problems += all_problems(policy_name, loaded) or [str(error)]
            continue
        remarks = [*unknown_names(policy, known), *trusting_rules(policy)]
        if (name or in_force(policy_name, loaded)) and not loaded.settings.actions.route and stops_calls(policy):
            remarks.append(NO_ROUTE)
        for remark in remarks:
            warn(f"{policy_name}: {remark}")
        say(f"{policy.name}: {plural(len(policy.rules), 'rule')}, {_else(policy)}")
    fail_with(problems)


def show(name: NameArgument = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a policy's rules in order, and the steps that come before the rules."""
    loaded = settings_of(config)
    policy = policy_called(name or running_name(loaded), loaded)
    if as_json:
        print_json(policy_shown(policy))
        return
    chain = f" (extends {' extends '.join(policy.chain[1:])})" if len(policy.chain) > 1 else ""
    say(bold(policy.name), dim(chain))
    if policy.observe:
        say("The policy only observes: decisions are recorded, and no call is changed.")
    say()
    say("Steps before the rules, the same in every policy:")
    print_table((), [(f"  {step.number}", step.title) for step in STEPS])
    say()
    say("Then the first rule whose conditions hold:")
    rows: list[list[Cell]] = []
    for position, rule in enumerate(policy.rules, 1):
        when = lines(condition.text for condition in rule.when)
        rows.append([f"  {position}", rule.name, word(rule.action.word), when, _reason(rule)])
    rows.append(["", "default", word(policy.default.word), "", "no rule applies"])
    print_table(("", "rule", "action", "when", "reason"), rows, keep=(0, 1, 2))
    say()
    say("Limits of what a rule may do:")
    only = " (rules about evidence only)"
    caps = [(f"  {cap.highest.word}", f"{cap.reason}{only if cap.only_evidence else ''}") for cap in CAPS]
    print_table(("  at most", "because"), caps)


def explain_call(
    caller: Annotated[
        str, typer.Option(metavar="NUMBER", help="The caller's number, as the network gives it.", show_default=False)
    ],
    name: NameArgument = None,
    did: Annotated[str | None, typer.Option(metavar="NUMBER", help="The DID that was called.")] = None,
    trunk: Annotated[
        str | None, typer.Option(metavar="NAME", help="A trunk in the settings. Default: the only one.")
    ] = None,
    callee: Annotated[str | None, typer.Option(metavar="EXT", help="The extension that the call is for.")] = None,
    attestation: Annotated[Attestation, typer.Option(help="STIR/SHAKEN attestation of the call.")] = Attestation.NONE,
    verification: Annotated[
        Verification, typer.Option(help="Result of the check of the call's signature.")
    ] = Verification.NONE,
    withheld: Annotated[bool, typer.Option("--withheld", help="The caller withholds the number.")] = False,
    callback: Annotated[
        bool, typer.Option("--psap-callback", help="The network marks the call as an emergency call-back.")
    ] = False,
    diverted_from: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The number that diverted the call.")
    ] = None,
    shown_name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="The caller's name as delivered with the call.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time of the call: 18:00 or 2026-12-31T18:00. Default: now.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show every step of the decision about a call from a number, with everything the store knows about the number."""
    loaded = settings_of(config)
    now = _instant(at)
    by_whom = (caller, did, trunk, callee, attestation, verification)
    question = Question(*by_whom, withheld, callback, diverted_from, shown_name)
    policies: PolicySet | Policy = policies_of(loaded) if name is None else policy_called(name, loaded)
    try:
        call = call_of(question, site_of(loaded.settings))
        situation = _situation(loaded, call, question, now)
    except QuestionError as error:
        raise CommandError(str(error)) from None
    opinion = opinion_of(situation, policies)
    if as_json:
        print_json(opinion_shown(opinion))
    else:
        _show_opinion(opinion, question, now)


# Explaining a call.


def _instant(at: str | None) -> float:
    try:
        return time.time() if at is None else instant_of(at, time.time())
    except TimeError as error:
        raise CommandError(f"--at: {error}") from None


def _situation(loaded: Loaded, call: IncomingCall, question: Question, now: float) -> Case:
    ours = SettingsFacts.of(loaded)
    if not has_store(loaded):
        warn(f"{loaded.store_path}: no store yet: the caller is treated as unknown")
        return situation_of(call, ours.added_to(ours.facts_of_range(call, now), call), now, ours.hours)
    with existing_store(loaded) as db:
        return situation_about(db, call, now, ours, question.callee)


def _show_opinion(opinion: Opinion, question: Question, now: float) -> None:
    call, decision = opinion.call, opinion.decision
    trunk = f" on trunk {call.trunk}" if call.trunk else ""
    did = f" to {call.did}" if call.did else ""
    callee = f" for {question.callee}" if question.callee else ""
    caller = call.caller.key or f"{question.caller} ({call.caller.kind.value})"
    say(
        bold(caller),
        f"{did}{callee}{trunk}, auth class {call.auth_class.value}, at {when(now)}, policy {opinion.policy.name}",
    )
    say()
    *steps, _ = opinion.looks
    rows = [
        (f"{look.step}", look.title, dim("; ".join((PASSES, *look.failed))) if look.outcome == PASSES else look.outcome)
        for look in steps
    ]
    print_table(("step", "", "says"), rows, keep=(0,))
    say()
    say(word(decision.action.word), f" {opinion.looks[-1].outcome.removeprefix(decision.action.word).lstrip(' ;')}")
    _show_reputation(decision.reputation)


def _show_reputation(reputation: Reputation) -> None:
    account = account_of(reputation.level, reputation.families, reputation.witnesses)
    print_pairs(
        [
            ("because", lines(account)),
            ("less if", lines(map(_change, reputation.would_change))),
            ("more if", lines(map(_change, reputation.would_raise))),
        ]
    )


def _change(change: LevelChange) -> str:
    return f"{change.words}: then {change.level.word}"


def _reason(rule: Rule) -> str:
    shown = f' (shown as "{rule.label}")' if rule.label else ""
    return str(rule.reason) + shown + (f" (asks for a {rule.ask})" if rule.ask else "")


def _else(policy: Policy) -> str:
    observe = ", observes only" if policy.observe else ""
    return f"default action {policy.default.word}{observe}: no errors"


def activate_policy(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A preset or a policy's name. Default: the policy in the settings."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Activate a policy instead of the policy in the settings. The change takes effect within two seconds."""
    loaded = settings_of(config)
    activated = perform(loaded, operations.activate, name or "")
    policy = activated.active
    if not loaded.settings.actions.route and stops_calls(policy):
        warn(f"{policy.name}: {NO_ROUTE}")
    say(f"Policy {policy.name} is active{', and only observes' if policy.observe else ''}.")
    say_undo(activated.change_id, config)


# One policy for many sites.


def publish_policy(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A policy's name. Default: the active policy.")
    ] = None,
    publish_as: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="The name that other sites see. Default: the policy's own name."),
    ] = None,
    note: Annotated[str, typer.Option(help="A note on what is new, for the sites that accept the policy.")] = "",
    config: ConfigOption = None,
) -> None:
    """Publish a policy to all sites of the hub. The policy has no effect at a site until somebody there accepts it."""
    loaded = settings_of(config)
    publication = perform(loaded, central.publish, central.PublishRequest(name or "", publish_as or "", note))
    site = loaded.settings.hub.site
    say(f"Published to all other sites: {publication.policy}. To accept it at a site that follows {site}:")
    say(f"  callsieve policy accept {site}:{publication.policy}")
    say_undo(publication.change_id, config)


def withdraw_policy(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name under which other sites see the policy.", show_default=False)
    ],
    config: ConfigOption = None,
) -> None:
    """Withdraw a published policy. The policy stays in force at sites that accepted it."""
    loaded = settings_of(config)
    withdrawal = perform(loaded, central.withdraw, name, existing=True)
    say(f"{name} is withdrawn. Sites that accepted it keep it.")
    say_undo(withdrawal.change_id, config)


def accept_policy(
    name: Annotated[
        str,
        typer.Argument(metavar="SITE:NAME", help="The policy's name in `callsieve policy list`.", show_default=False),
    ],
    config: ConfigOption = None,
) -> None:
    """Accept a policy that another site publishes. The published version replaces the version accepted before."""
    loaded = settings_of(config)
    accepted = perform(loaded, central.accept, central.AcceptRequest(name), existing=True)
    with existing_store(loaded) as db:
        known = known_names(loaded, db)
    for remark in (*unknown_names(accepted.accepted, known), *trusting_rules(accepted.accepted)):
        warn(f"{name}: {remark}")
    if accepted.in_force_for and not loaded.settings.actions.route and stops_calls(accepted.accepted):
        warn(f"{name}: {NO_ROUTE}")
    if accepted.in_force_for:
        say(f"{name} is accepted, and takes effect for {', '.join(accepted.in_force_for)} within two seconds.")
    else:
        say(f"{name} is accepted but not used yet. To use it: callsieve policy activate {name}")
    say_undo(accepted.change_id, config)


def try_cases(
    files: Annotated[list[Path], typer.Argument(metavar="CASES.toml", help="Files of cases.", show_default=False)],
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The policy for cases that do not name one: a preset, a policy's name, or a FILE.toml."
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Test whether the policy decides your own cases as expected. Exit code 1 if a decision differs."""
    tried = _all_tried(files, policy, config)
    if as_json:
        print_json(cases_tried([(str(file), case) for file, of_file in tried.items() for case in of_file]))
    else:
        _show(tried)
    if any(case.differs for of_file in tried.values() for case in of_file):
        raise SystemExit(1)


def _all_tried(files: list[Path], name: str | None, config: Path | None) -> dict[Path, list[Tried]]:
    loaded = settings_of(config)
    window = 60.0 * loaded.settings.emergency.window_minutes
    problems: list[str] = []
    read = {file: _cases_in(file, loaded, problems) for file in files}
    fail_with(problems)
    running: PolicySet | Policy = policies_of(loaded) if name is None else policy_called(name, loaded)
    tried: dict[Path, list[Tried]] = {file: [] for file in files}
    for file, trials in read.items():
        for trial in trials:
            try:
                tried[file].append(run_trial(trial, running, lambda name: policy_called(name, loaded), window))
            except PolicyError as error:
                problems.append(f"{file}: {error}")
    fail_with(problems)
    return tried


def _cases_in(file: Path, loaded: Loaded, problems: list[str]) -> tuple[Trial, ...]:
    settings, name = loaded.settings, str(file)
    try:
        text = text_of(file, MAX_BYTES)
    except PolicyError:
        with acting_for(file):
            if "/" in name or file.suffix or file.exists():
                raise
    else:
        trials, file_problems = read_trials(text, settings.numbers.region, settings.reputation.levels)
        problems += [f"{file}: {problem}" for problem in file_problems]
        return trials
    # The name of a policy in the place of a file of cases.
    known = [policy for policy, _, _ in known_policies(loaded)]
    what = "this is a policy, not a file of cases"
    if name not in known:
        what, name = f"neither a file of cases nor a policy{nearest(name, known)}", "NAME"
    raise CommandError(f"{file}: {what}. To try a policy: callsieve policy test CASES.toml --policy {name}")


def _show(tried: dict[Path, list[Tried]]) -> None:
    for file, of_file in tried.items():
        if len(tried) > 1:
            say(bold(file.name))
        for case in of_file:
            _show_one(case)
    count = sum(map(len, tried.values()))
    failed = sum(bool(case.differs) for of_file in tried.values() for case in of_file)
    say()
    say(f"{plural(count, 'case')}: {f'{failed:,} failed' if failed else 'all as expected'}.")


def _show_one(case: Tried) -> None:
    decision = case.decision
    if not case.differs:
        say(Text("ok    ", "green"), case.name)
        return
    say(Text("FAIL  ", "bold red"), case.name)
    for key, expected, got in case.differs:
        say(f"        {key}: expected {_value_words(expected)}, got {_value_words(got)}")
    capped = f"; not stronger, because {decision.capped_by}" if decision.capped_by else ""
    say(
        dim(f"        policy {decision.policy}: {decision.would_be.word} by {decision.rule}: {decision.reason}{capped}")
    )


def _value_words(value: Any) -> str:
    return "nothing" if value == "" else str(value)
