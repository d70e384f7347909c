"""Settings of the call-back helper. Only root can write the file, so an attacker in the service cannot raise limits."""

import os
import stat
from math import ceil
from pathlib import Path
from typing import Annotated

import msgspec

from callsieve.setting_types import Channel, Country, Hour, Prefix, SettingsTable, ShownNumber
from callsieve.settings import MAX_BYTES, SettingsError, parse_table
from callsieve.system.privileges import owner_on_the_way
from policies.files import open_regular

SETTINGS_FILE = Path("/etc/callsieve/call-back.toml")
SOCKET = Path("/run/callsieve-call-back/socket")
STATE = Path("/var/lib/callsieve-call-back")
SPOOL = "/var/spool/asterisk"
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

Few = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Seconds = Annotated[int, msgspec.Meta(ge=20, le=300)]

NUMBER_PLACES = ("{number}", "{digits}")


class HelperSettings(SettingsTable, frozen=True):
    """The users who may request calls, the allowed numbers, and limits. docs/how-to/call-back.md describes every key.

    Attributes:
        channel: The channel to dial; `{number}` stands for +12015550123, `{digits}` for 12015550123.
        seconds: Maximum duration of an answered call.
        ring_seconds: Maximum ringing time.
        refused: Prefixes that are not called.
        sounds: The directory of Asterisk's sounds; empty: the usual directories.
        first_hour: The hour from which calls are allowed, in the number's local time.
        last_hour: The hour until which calls are allowed, in the number's local time.
    """

    enabled: bool = False
    users: tuple[str, ...] = ("callsieve",)
    countries: tuple[Country, ...] = ()
    refused: tuple[Prefix, ...] = ()
    channel: Channel = "Local/{number}@callsieve-call-back-out"
    caller_id: ShownNumber = ""
    spool: str = SPOOL
    sounds: str = ""
    first_hour: Hour = 8
    last_hour: Hour = 21
    seconds: Seconds = 55
    ring_seconds: Seconds = 30
    a_number_minutes: Few = 15
    a_number_a_day: Few = 3
    an_hour: Few = 10
    a_day: Few = 30
    at_once: Few = 2

    @property
    def most_minutes_a_day(self) -> int:
        """Maximum minutes billed per day. A started minute counts in full, and Asterisk may hang up a moment late."""
        return self.a_day * ceil((self.seconds + 1) / 60)


def load_helper_settings(file: Path) -> HelperSettings:
    """Return the settings in a file. Raise SettingsError for an invalid value, or if other users can write the file."""
    _check_owner(file)
    try:
        with open_regular(file) as stream:
            text = stream.read(MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8 at byte {error.start}: save the file as UTF-8") from None
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be read: {error.strerror}: `callsieve asterisk install --systemd` writes this file"
        ) from None
    return parse_helper_settings(text, str(file))


def parse_helper_settings(text: str, source: str) -> HelperSettings:
    """Return the settings in a text. Raise SettingsError for an invalid value. `source`: the file to name in errors."""
    settings = parse_table(text, source, HelperSettings)
    if settings.enabled and not settings.countries:
        raise SettingsError(f'{source}: countries: name the countries that may be called, such as countries = ["US"]')
    if not any(place in settings.channel for place in NUMBER_PLACES):
        raise SettingsError(f"{source}: channel: write {{number}} or {{digits}} where the called number belongs")
    if "{" in settings.channel.replace("{number}", "").replace("{digits}", ""):
        raise SettingsError(f"{source}: channel: only {{number}} and {{digits}} may stand in braces")
    if settings.first_hour >= settings.last_hour:
        raise SettingsError(f"{source}: first_hour: must be before last_hour: use 0 and 24 for all day")
    if settings.a_number_a_day > settings.a_day or settings.an_hour > settings.a_day:
        raise SettingsError(f"{source}: a_day: must not be less than a_number_a_day or an_hour")
    return settings


def _check_owner(file: Path) -> None:
    trusted = (0, os.geteuid())
    try:
        status, owner = file.stat(), owner_on_the_way(file)
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be read: {error.strerror}: `callsieve asterisk install --systemd` writes this file"
        ) from None
    if status.st_uid not in trusted or (owner is not None and owner[0] not in trusted):
        raise SettingsError(
            f"{file}: a user other than root could change the file: run chown root on {file} and its folder"
        )
    if status.st_mode & WRITABLE_BY_OTHERS:
        raise SettingsError(f"{file}: other users may write the file: run chmod go-w {file}")
