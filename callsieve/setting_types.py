"""Types of settings: the base class of tables, which forbids unknown keys, and value types with limits."""

from typing import Annotated

import msgspec

from agi.display import MAX_CHARACTERS, MIN_CHARACTERS
from reputation.own.hours import WRITTEN as QUIET_HOURS

# The dialplan gives up after 0.6 s, so our own deadline must come before it.
Deadline = Annotated[int, msgspec.Meta(ge=10, le=550)]
WaitSeconds = Annotated[float, msgspec.Meta(ge=0, le=5)]
InFlight = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
# Patterns end with \Z, not $, which would allow a newline at the end.
NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}\Z"
EXTENSION = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z"
ENDPOINT = r"^[A-Za-z0-9]+/[A-Za-z0-9_.@+-]{1,79}\Z"
SITE = r"^([a-z0-9][a-z0-9-]{0,31})?\Z"
ORGANISATION = r"^[a-z0-9][a-z0-9-]{0,19}\Z"
ROUTE = r"^([A-Za-z0-9_.-]{1,79},[A-Za-z0-9_.*#+-]{1,79},[0-9]{1,4})?\Z"
KEY = r"^([A-Za-z0-9]{16,64})?\Z"
SECRET_IN_ENVIRONMENT, SECRET_IN_FILE = "env:", "file:"
SECRET = rf"^({SECRET_IN_ENVIRONMENT}[A-Za-z_][A-Za-z0-9_]{{0,79}}|{SECRET_IN_FILE}/[^\x00-\x1f\x7f]{{1,300}})?\Z"
SPAN = r"^[1-9][0-9]{0,3}[hdw]\Z"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"
OFTEN = r"^[1-9][0-9]{0,2}/(min|h|d)\Z"
TOPIC = r"^[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,3}\Z"
MAIL_ADDRESS = r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z"
# Of calls back. They fit a line of a call file: no space, no line end, no `;` (a comment there), no `$` and no `,`.
CHANNEL = r"^[A-Za-z0-9]+/[A-Za-z0-9_.@+/{}:-]{1,120}\Z"
SHOWN_NUMBER = r"^(\+?[0-9]{3,15})?\Z"
COUNTRY = r"^[A-Z]{2}\Z"
PREFIX = r"^\+[0-9]{1,15}\Z"
Key = Annotated[str, msgspec.Meta(pattern=KEY)]
Span = Annotated[str, msgspec.Meta(pattern=SPAN)]
# Where a secret is; what it is, callsieve.outside.errors.secret_of reads.
Secret = Annotated[str, msgspec.Meta(pattern=SECRET)]
Name = Annotated[str, msgspec.Meta(pattern=NAME)]
Site = Annotated[str, msgspec.Meta(pattern=SITE)]
Organisation = Annotated[str, msgspec.Meta(pattern=ORGANISATION)]
Extension = Annotated[str, msgspec.Meta(pattern=EXTENSION)]
Clock = Annotated[str, msgspec.Meta(pattern=CLOCK)]
Often = Annotated[str, msgspec.Meta(pattern=OFTEN)]
TopicPrefix = Annotated[str, msgspec.Meta(pattern=TOPIC)]
MailAddress = Annotated[str, msgspec.Meta(pattern=MAIL_ADDRESS)]
Hours = Annotated[str, msgspec.Meta(pattern=QUIET_HOURS)]
Columns = Annotated[int, msgspec.Meta(ge=MIN_CHARACTERS, le=MAX_CHARACTERS)]
Channel = Annotated[str, msgspec.Meta(pattern=CHANNEL)]
ShownNumber = Annotated[str, msgspec.Meta(pattern=SHOWN_NUMBER)]
Country = Annotated[str, msgspec.Meta(pattern=COUNTRY)]
Prefix = Annotated[str, msgspec.Meta(pattern=PREFIX)]
Endpoint = Annotated[str, msgspec.Meta(pattern=ENDPOINT)]
Route = Annotated[str, msgspec.Meta(pattern=ROUTE)]
WRITTEN_AS = {
    NAME: "must be at most 64 letters, digits, spaces, _ . and -, and begin with a letter or digit",
    EXTENSION: "must be at most 64 letters, digits, _ . and -, and begin with a letter or digit",
    ENDPOINT: "write it as PJSIP/201",
    KEY: "must be 16 to 64 letters and digits",
    SPAN: "write it as 6h, 1d or 1w",
    SECRET: "secrets are not written into the settings: write env:NAME, or file:/path of a file with mode 0600",
    QUIET_HOURS: 'write it as "22-7", which means from 22:00 until 7:00',
    CLOCK: "write it as 07:00",
    OFTEN: "write it as 3/h (three per hour), 1/min or 10/d",
    TOPIC: "must be letters, digits, _ and -, in at most four parts separated by /",
    MAIL_ADDRESS: "write it as office@example.com",
    SITE: "must be at most 32 small letters, digits and -, and begin with a letter or digit",
    ORGANISATION: "must be at most 20 small letters, digits and -, and begin with a letter or digit",
    CHANNEL: "write it as PJSIP/{number}@carrier or Local/{number}@from-internal",
    SHOWN_NUMBER: "write it as +12015550100",
    COUNTRY: "write a country as two letters, such as US",
    PREFIX: "write a prefix as +1201",
    ROUTE: "write it as context,exten,1",
}
RequestRate = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Hour = Annotated[int, msgspec.Meta(ge=0, le=24)]
CallLimit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=1440)]
IdleMinutes = Annotated[int, msgspec.Meta(ge=5, le=1440)]
SessionHours = Annotated[int, msgspec.Meta(ge=1, le=720)]


class SettingsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base class of the tables in the settings: fixed keys, each required or with a default."""
