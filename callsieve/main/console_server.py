"""The console's process, which also serves the API at the console's address.

`python -m callsieve.main.console_server`: the console as the daemon starts it. It ends with the daemon.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from callsieve.cli.errors import errors_in_one_line
from callsieve.logs import configure_logs
from callsieve.main.console_app import make_app, make_app_state
from callsieve.main.http_server import listening, make_server, run_server
from callsieve.settings import Loaded
from callsieve.system.privileges import served_settings

logger = logging.getLogger("callsieve.web")


def serve_console(load: Callable[[], Loaded], *, until_stdin_ends: bool = False) -> None:
    """Serve until a signal or, with `until_stdin_ends`, the end of the parent process. Raise SettingsError."""
    state = make_app_state(load)
    web = state.loaded.settings.web
    listener = listening(web.listen, "[web] listen", "the console")
    server = make_server(make_app(state), state.ending, web.proxies if web.behind_proxy else None)
    logger.info("console: http://%s", web.listen)
    run_server(server, [listener], until_stdin_ends=until_stdin_ends)
    logger.info("console: stopped")


def main() -> None:
    """Serve with the settings file that the only argument names, if there is one."""
    config = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with errors_in_one_line():
        configure_logs()
        serve_console(partial(served_settings, config), until_stdin_ends=True)


if __name__ == "__main__":
    main()
