"""The entry point of `callsieve`. For `serve` and `api` it imports neither typer nor all commands: that takes 0.1 s."""

import gc
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from callsieve.cli.errors import errors_in_one_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program, then raise SystemExit. `arguments`: None to use the arguments of the command line."""
    with errors_in_one_line():
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
    raise SystemExit(code)


def _run(arguments: list[str]) -> int:
    match arguments:
        case ["serve", *flags] if set(flags) <= {"--log-json"}:
            serve_calls(None, log_json=bool(flags))
        case ["serve", "--config", file, *flags] if set(flags) <= {"--log-json"}:
            serve_calls(Path(file), log_json=bool(flags))
        case ["api", *flags] if set(flags) <= {"--log-json"}:
            from callsieve.main.api_process import serve_api

            serve_api(None, log_json=bool(flags))
        case _:
            gc.disable()  # imported objects stay until the end
            from callsieve.main.cli import run

            gc.enable()
            return run(arguments)
    return 0


def serve_calls(config: Path | None, *, log_json: bool) -> None:
    """Run the daemon, which answers Asterisk, until it is stopped."""
    gc.disable()  # objects made at the start stay until the end: see Daemon.run
    from callsieve.daemon.daemon import run
    from callsieve.logs import configure_logs, flush_logs
    from callsieve.system.privileges import served_settings

    configure_logs(as_json=log_json)
    try:
        run(partial(served_settings, config))
    finally:
        flush_logs()


if __name__ == "__main__":
    main()
