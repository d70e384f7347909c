"""`callsieve`: the commands. Each module below adds its own; what a command needs is imported when it runs."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from callsieve.cli import (
    asterisk,
    calls,
    db,
    doctor,
    emergency,
    identity,
    imports,
    lists,
    lookup,
    marks,
    policy,
    privacy,
    switch,
)
from callsieve.cli.common import EXIT_INTERRUPTED, ConfigOption, errors_in_one_line, settings_of, warn

app = typer.Typer(
    name="callsieve",
    help="Call screening for Asterisk.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def callsieve(
    version: bool = typer.Option(False, "--version", help="Print the version and leave.", is_eager=True),
) -> None:
    """Call screening for Asterisk. Start with `callsieve doctor`; docs/commands.md has every command."""
    if version:
        typer.echo(f"callsieve {_version()}")
        raise typer.Exit


@app.command()
def serve(
    config: ConfigOption = None,
    log_json: bool = typer.Option(False, "--log-json", help="Log JSON lines."),
) -> None:
    """Answer Asterisk: the FastAGI server. Runs until it is stopped; SIGHUP reloads settings and policies."""
    from callsieve.daemon import run
    from callsieve.logs import configure_logs

    configure_logs(as_json=log_json)
    run(lambda: settings_of(config))


# In the order in which `callsieve --help` lists them.
GROUPS = (switch, doctor, lookup, calls, marks, lists, identity, imports, policy, emergency, db, privacy, asterisk)
for group in GROUPS:
    group.add_to(app)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("callsieve")
    except PackageNotFoundError:
        return "(not installed: run from its sources)"


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Ends with SystemExit; `arguments` are those of the command line if not given."""
    with errors_in_one_line():
        code = app(arguments, prog_name="callsieve", standalone_mode=False)
    if code == EXIT_INTERRUPTED:  # typer's answer to Ctrl-C
        warn("interrupted")
    raise SystemExit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
