"""`callsieve doctor`: print the finding of each check, and a remedy for each problem."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from callsieve.cli.errors import os_trouble, warn
from callsieve.cli.options import ConfigOption, JsonOption, print_json, salvaged_settings_of
from callsieve.cli.output import clean, print_plain, say
from callsieve.doctor import stored_findings
from callsieve.doctor.checks import checks_of, examine
from callsieve.doctor.dialplan import passcode_code
from callsieve.doctor.finding import CheckContext, HealthCheck, gathered
from callsieve.health import WORST_FIRST, Check, CheckStatus
from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import Answer, OutsideClient, RequestLimits
from callsieve.pbx.cli_client import console
from callsieve.settings import Loaded
from callsieve.system.privileges import acting_for, as_root
from callsieve.text.times import ago
from reputation.wording import Wording

LIMITS = RequestLimits(total_seconds=5.0, body_bytes=1 << 16, redirects=0)
STYLE_BY_STATUS = {"ok": "green", "warn": "yellow", "fail": "bold red", "unknown": "magenta"}


def doctor(
    ctx: typer.Context,
    show_all: Annotated[bool, typer.Option("--all", help="Show every check, also those without problems.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check everything that screening needs, and show the worst problem first. Exit code 1 if something must be fixed.

    As root, this command also stores the findings for the console and other users.
    """
    loaded, error = salvaged_settings_of(config)
    context = CheckContext(error or loaded, lambda command: console(loaded.settings, command), time.time(), fetched)
    with as_root():
        loaded_at = context.loaded_at  # before the checks, which may miss modules that Asterisk loads meanwhile
    examined = examine(checks_of(ctx.obj), context)
    with as_root():
        code = passcode_code(context)
    findings = stored_findings.findings_of(examined, context.now, loaded_at, code)
    with acting_for(loaded.findings_path.parent.parent):  # store_findings itself checks the directories below
        checks = _stored_or_completed(findings, loaded)
    if as_json:
        print_json(checks)
    else:
        show_checks(checks, show_all=show_all)
    if any(check.status is CheckStatus.FAIL for check in checks):
        raise SystemExit(1)


def _stored_or_completed(findings: stored_findings.Findings, loaded: Loaded) -> list[Check]:
    path = loaded.findings_path
    if not stored_findings.may_store(path):
        changed_at = stored_findings.trunks_changed_at(Path(loaded.settings.asterisk.etc))
        stored = stored_findings.read_findings(path)
        return stored_findings.completed(findings.checks, stored, findings.at, changed_at)
    try:
        stored_findings.store_findings(path, findings)
    except OSError as error:
        warn(f"the findings were not stored: {os_trouble(error)}")
    return list(findings.checks)


def fetched(url: str) -> tuple[int, bytes] | Wording:
    """Fetch a page of this server as an outside visitor would. Return status and body, or the reason of a failure."""

    async def asked() -> Answer:
        async with OutsideClient(LIMITS) as client:
            return await client.request("GET", url, allow_private=True)

    try:
        answer = asyncio.run(asked())
    except OutsideError as error:
        return error.words
    return answer.status, answer.body


def renew_stored(loaded: Loaded, check: HealthCheck) -> None:
    """Repeat a check and replace its stored finding, because otherwise the console would show the old finding."""
    with acting_for(loaded.findings_path.parent.parent):
        if not (loaded.findings_path.exists() and stored_findings.may_store(loaded.findings_path)):
            return
    with suppress(OSError):
        context = CheckContext(loaded, lambda command: console(loaded.settings, command), time.time())
        for renewed in examine([check], context):
            with acting_for(loaded.findings_path.parent.parent):
                stored_findings.renew_finding(loaded.findings_path, renewed)


def show_checks(checks: list[Check], *, show_all: bool) -> None:
    """Print problems with remedies, the worst problem first. Print other checks only by name, unless `show_all`."""
    now = time.time()
    ordered = sorted(gathered(checks), key=lambda check: WORST_FIRST.index(check.status))
    well = [check for check in ordered if check.status is CheckStatus.OK]
    rows = [_row(check, now) for check in ordered if show_all or check not in well]
    if well and not show_all:
        rows.append((CheckStatus.OK, f"{len(well)} checks", Text(", ".join(check.name for check in well))))
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for status, name, detail in rows:
        table.add_row(Text(status.value, STYLE_BY_STATUS[status.value]), name, detail)
    print_plain(table)
    counts = Counter(check.status.value for check in checks)
    words = {"fail": "to fix", "warn": "worth checking", "unknown": "unknown", "ok": "ok"}
    parts = [(f"{counts[status]} {text}", STYLE_BY_STATUS[status]) for status, text in words.items() if counts[status]]
    say(Text(", ").join(Text(text, style) for text, style in parts), "" if show_all else ". To show all checks: --all")


def _row(check: Check, now: float) -> tuple[CheckStatus, str, Text]:
    detail = Text(clean(check.detail))  # it may quote a file of another user
    if check.stored:
        detail.append(f" (checked as root {ago(check.at, now)})", style="dim")
    if check.remedy:
        detail.append(f"\n→ {clean(check.remedy)}", style="cyan")
    return check.status, check.name.replace(", ", ",\n"), detail
