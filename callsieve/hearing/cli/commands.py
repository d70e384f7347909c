"""`callsieve hearing`: the process that transcribes what callers say."""

import os
from pathlib import Path
from typing import Annotated

import typer

from agi.sockets import Peers
from callsieve.cli.errors import CommandError
from callsieve.hearing.process import connect, serve
from callsieve.hearing.whisper import NoModel, Whisper
from callsieve.hearing.wire import SOCKET_NAME
from callsieve.logs import configure_logs
from callsieve.system.privileges import HEARING_USER, SERVICE_USER, become, ids_of, is_ours_or

SOCKET = Path("/run/callsieve") / SOCKET_NAME


def hear(
    path: Annotated[
        Path, typer.Option("--socket", metavar="PATH", help="The daemon's socket for the hearing process.")
    ] = SOCKET,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Transcribe the words of callers for the daemon, until the daemon stops. Settings: [speech]."""
    configure_logs(as_json=log_json)
    try:
        _leave_root(path)
        with connect(path) as sock:
            user = Peers().user_of(sock)
            if not is_ours_or(SERVICE_USER, user):
                raise CommandError(f"{path}: user {user} listens there instead of {SERVICE_USER}")
            serve(sock, Whisper)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}: check that the daemon runs and [speech] names a model") from None
    except NoModel as error:
        raise CommandError(str(error)) from None


def _leave_root(path: Path) -> None:
    """Change from root to the hearing user, or to the daemon's user if there is no hearing user."""
    if os.geteuid() == 0:
        owner = path.stat()
        become(*(ids_of(HEARING_USER) or (owner.st_uid, owner.st_gid)))
