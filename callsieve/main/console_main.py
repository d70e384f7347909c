"""`python -m callsieve.main.console_main`: the console as the daemon starts it. It ends when the daemon does."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from callsieve.cli.errors import errors_in_one_line
from callsieve.logs import configure_logs
from callsieve.main.console_server import serve_console
from callsieve.system.privileges import served_settings


def main() -> None:
    """The one argument, if there is one, is the settings file."""
    config = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with errors_in_one_line():
        configure_logs()
        serve_console(partial(served_settings, config), until_stdin_ends=True)


if __name__ == "__main__":
    main()
