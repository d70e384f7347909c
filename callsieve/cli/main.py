"""`callsieve`: the commands. Each module below adds its own; what a command needs is imported when it runs."""

from __future__ import annotations

import typer

from callsieve.cli.common import ConfigOption, errors_in_one_line, settings_of

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
    """Call screening for Asterisk. Start with `callsieve doctor`; docs/ has the rest."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"callsieve {version_of('callsieve')}")
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


def main() -> None:
    """The console script."""
    with errors_in_one_line():
        app()


if __name__ == "__main__":
    main()
