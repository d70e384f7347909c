"""`callsieve call-back`: the helper that lets Asterisk call a number back, and the numbers that it may call."""

import errno
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from callsieve.call_back.client import HelperAnswer
from callsieve.call_back.helper import Helper, PlacedCalls, StateError, listening, machine_clocks, refusal_of
from callsieve.call_back.helper import serve as serve_requests
from callsieve.call_back.settings import SETTINGS_FILE, SOCKET, STATE, HelperSettings, load_helper_settings
from callsieve.cli.errors import CommandError
from callsieve.cli.options import JsonOption, print_json
from callsieve.cli.output import say
from callsieve.logs import configure_logs
from callsieve.settings import SettingsError

logger = logging.getLogger("callsieve.call_back")

WHY = {
    HelperAnswer.COUNTRY: "the settings do not allow calls to the number's country",
    HelperAnswer.KIND: "the number is not a landline or mobile number, or calls to it cost extra",
    HelperAnswer.REFUSED: "the settings refuse numbers with this prefix",
}
SettingsOption = Annotated[Path, typer.Option("--settings", metavar="FILE", help="The helper's settings file.")]


def serve(
    settings: SettingsOption = SETTINGS_FILE,
    socket: Annotated[
        Path, typer.Option("--socket", metavar="FILE", help="The socket on which the helper accepts requests.")
    ] = SOCKET,
    state: Annotated[
        Path, typer.Option("--state", metavar="FOLDER", help="The folder for the helper's record of calls.")
    ] = STATE,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Accept requests for call-backs, and let Asterisk call the allowed numbers. Runs until it is stopped."""
    configure_logs(as_json=log_json)
    wanted = load_helper_settings(settings)
    if not wanted.enabled:
        raise CommandError(f"{settings}: call-backs are disabled: to enable them, set `enabled = true`")
    try:
        helper = Helper(wanted, PlacedCalls(state, machine_clocks()), state)
    except StateError as error:
        raise CommandError(str(error)) from None
    except SettingsError as error:
        raise CommandError(f"{settings}: {error}") from None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with listening(socket) as door:
            helper.has_all_parts()
            logger.info("call-back helper started: socket=%s most_minutes_a_day=%d", socket, wanted.most_minutes_a_day)
            serve_requests(door, helper)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandError("another helper runs already: stop it first (systemctl stop callsieve-call-back)") from None


def show(
    number: Annotated[
        str | None, typer.Argument(help="A number to check, such as +12015550123.", show_default=False)
    ] = None,
    settings: SettingsOption = SETTINGS_FILE,
    as_json: JsonOption = False,
) -> None:
    """Show which numbers the helper may call, how often, and the most minutes billed per day. Places no call."""
    wanted = load_helper_settings(settings)
    refusal = None if number is None else refusal_of(number, wanted)
    if as_json:
        asked = {} if number is None else {"number": number, "refused": refusal}
        print_json({"settings": wanted, "most_minutes_a_day": wanted.most_minutes_a_day, **asked})
        return
    if number is None:
        _say_limits(wanted)
    elif refusal is None:
        say(f"{number} may be called.")
    else:
        say(f"{number} is never called: {WHY[refusal]}.")


def _say_limits(wanted: HelperSettings) -> None:
    say("Call-backs are enabled." if wanted.enabled else "Call-backs are disabled (`enabled = false`).")
    say(f"Countries: {', '.join(wanted.countries) or 'none'}. Landlines and mobiles only.")
    say(f"From {wanted.first_hour} to {wanted.last_hour} h, in the local time of the number.")
    say(f"Per number: at most one call in {wanted.a_number_minutes} minutes, and {wanted.a_number_a_day} calls a day.")
    say(f"In total: at most {wanted.at_once} calls at once, {wanted.an_hour} an hour, and {wanted.a_day} a day.")
    say(f"A call ends after {wanted.seconds} s: at most {wanted.most_minutes_a_day} minutes are billed per day.")
