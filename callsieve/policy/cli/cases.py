"""`callsieve policy test`: an operator's own cases, a line for each, and what differs from what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from callsieve.cli.errors import CommandError, fail_with
from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.output import bold, dim, plural, say
from callsieve.policy.catalogue import policies_there
from callsieve.policy.records import cases_tried
from callsieve.policy_selection import policy_called, text_of
from callsieve.settings import Loaded
from callsieve.system.privileges import acting_for
from callsieve.wiring import policies_of
from policies.cases import MAX_BYTES, Trial, Tried, read_trials, run_trial
from policies.files import nearest
from policies.policy import Policy, PolicyError, PolicySet


def try_cases(
    files: Annotated[list[Path], typer.Argument(metavar="CASES.toml", help="Files of cases.", show_default=False)],
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For cases that name none: a preset, a policy's name, or a FILE.toml."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Try cases of your own: given a call and what is known, is what is expected decided? Exit code 1 when not."""
    tried = _all_tried(files, policy, config)
    if as_json:
        print_json(cases_tried([(str(file), one) for file, of_file in tried.items() for one in of_file]))
    else:
        _show(tried)
    if any(one.differs for of_file in tried.values() for one in of_file):
        raise SystemExit(1)


def _all_tried(files: list[Path], name: str | None, config: Path | None) -> dict[Path, list[Tried]]:
    """Every file is read before anything is tried."""
    loaded = settings_of(config)
    window = 60.0 * loaded.settings.emergency.window_minutes
    problems: list[str] = []
    read = {file: _cases_in(file, loaded, problems) for file in files}
    fail_with(problems)
    running: PolicySet | Policy = policies_of(loaded) if name is None else policy_called(name, loaded)
    tried: dict[Path, list[Tried]] = {file: [] for file in files}
    for file, trials in read.items():
        for one in trials:
            try:
                tried[file].append(run_trial(one, running, lambda name: policy_called(name, loaded), window))
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
        trials, found = read_trials(text, settings.numbers.region, settings.reputation.levels)
        problems += [f"{file}: {problem}" for problem in found]
        return trials
    # The name of a policy in the place of a file of cases.
    known = [policy for policy, _, _ in policies_there(loaded)]
    what = "this is a policy, not a file of cases"
    if name not in known:
        what, name = f"there is no such file of cases, and no policy of that name{nearest(name, known)}", "NAME"
    raise CommandError(f"{file}: {what}. Try one: callsieve policy test CASES.toml --policy {name}")


def _show(tried: dict[Path, list[Tried]]) -> None:
    for file, of_file in tried.items():
        if len(tried) > 1:
            say(bold(file.name))
        for one in of_file:
            _show_one(one)
    count = sum(map(len, tried.values()))
    failed = sum(bool(one.differs) for of_file in tried.values() for one in of_file)
    say()
    say(f"{plural(count, 'case')}: {f'{failed:,} failed' if failed else 'all as expected'}.")


def _show_one(one: Tried) -> None:
    decision = one.decision
    if not one.differs:
        say(Text("ok    ", "green"), one.name)
        return
    say(Text("FAIL  ", "bold red"), one.name)
    for key, expected, found in one.differs:
        say(f"        {key}: expected {_told(expected)}, got {_told(found)}")
    capped = f", no more: {decision.capped_by}" if decision.capped_by else ""
    say(
        dim(f"        policy {decision.policy}: {decision.would_be.word} by {decision.rule}: {decision.reason}{capped}")
    )


def _told(value: Any) -> str:
    return "nothing" if value == "" else str(value)
