"""Tables of the settings about others that we talk to, with what a type cannot say about them.

`[hub]` of the settings: the PostgreSQL through which PBXs share what they know, and which of them this is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from callsieve import setting_types
from policies.decision import ACTION_BY_WORD
from policies.files import nearest
from reputation.events import DATA, EventKind


class Api(setting_types.SettingsTable, frozen=True):
    """The API for programs with a token, on the console's address; `listen`: also at an address of the API process.

    `socket`: where the API process serves this machine, whether the rest is enabled or not. `per_minute`: requests of
    one token, unless it has a figure of its own. `recorded_per_second`: calls that one token asks about and that are
    recorded; more are decided only. `[web]` says which proxies are in front.
    """

    enabled: bool = False
    listen: str = ""
    socket: str = "api.sock"
    per_minute: setting_types.RequestRate = 600
    recorded_per_second: setting_types.RequestRate = 50


class WebhookTable(setting_types.SettingsTable, frozen=True):
    """A server that events are posted to, signed with the secret. `events`: which kinds; empty: all.

    `mask`: numbers are masked. `private`: it is in our own network, and plain http is allowed.
    """

    name: setting_types.Name
    url: str
    secret: setting_types.Secret
    events: tuple[EventKind, ...] = ()
    mask: bool = False
    private: bool = False


Megabytes = Annotated[int, msgspec.Meta(ge=1, le=2000)]
SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
MINISIGN_KEY = re.compile(r"RW[A-Za-z0-9+/]{54}")


class FeedTable(setting_types.SettingsTable, frozen=True):
    """A list of numbers that is fetched again and again, as `import feed` reads it.

    `sha256`: what the file must have, or an address where that is said; `minisign`: the public key that must have
    signed it. `megabytes`: a larger file is refused. `private`: its server is in our own network.
    """

    name: setting_types.Name
    url: str
    every: setting_types.Span = "1d"
    verdict: Literal["spam", "ok"] = "spam"
    region: str | None = None
    sha256: str = ""
    minisign: str = ""
    megabytes: Megabytes = 100
    private: bool = False


DelayMinutes = Annotated[int, msgspec.Meta(ge=5, le=10_080)]


class PhoneBlockReporting(setting_types.SettingsTable, frozen=True):
    """Whether our people's marks are reported to PhoneBlock: the number and the kind of call, nothing else.

    `delay_minutes`: a mark that is taken back before never leaves. `private`: `url` is in our own network.
    """

    enabled: bool = False
    token: setting_types.Secret = ""
    delay_minutes: DelayMinutes = 60
    url: str = "https://phoneblock.net/phoneblock/api"
    private: bool = False


class Reporting(setting_types.SettingsTable, frozen=True):
    """Who else is told what our people say about callers: nobody, unless an administrator wants that."""

    phoneblock: PhoneBlockReporting = PhoneBlockReporting()


def reporting_problems(reporting: Reporting, feeds: tuple[FeedTable, ...]) -> Iterator[tuple[str, str]]:
    """A key, and what is wrong with it. What we report must not come back to us as the word of others."""
    told, key = reporting.phoneblock, "reporting.phoneblock"
    if (wrong := url_problem(told.url, private=told.private)) is not None:
        yield f"{key}.url", wrong
    if told.enabled and not told.token:
        yield f"{key}.token", "required: write env:NAME, or file:/path of a file with mode 0600"
    for place, feed in enumerate(feeds):
        if told.enabled and urlsplit(feed.url).hostname == urlsplit(told.url).hostname:
            yield f"feed[{place}].url", "is where our marks are reported to: they would come back as somebody else's"


def feed_problems(feeds: tuple[FeedTable, ...]) -> Iterator[tuple[str, str]]:
    """A key, and what is wrong with it. Regions and repeated names: callsieve.settings."""
    for place, one in enumerate(feeds):
        key = f"feed[{place}]"
        if (wrong := url_problem(one.url, private=one.private)) is not None:
            yield f"{key}.url", wrong
        if one.sha256 and not SHA256.fullmatch(one.sha256) and url_problem(one.sha256, private=one.private):
            yield f"{key}.sha256", "takes 64 hexadecimal digits, or an address: https://example.com/list.csv.sha256"
        if one.minisign and not MINISIGN_KEY.fullmatch(one.minisign):
            yield f"{key}.minisign", "takes the public key: the line of a minisign.pub that begins with RW"


def webhook_problems(webhooks: tuple[WebhookTable, ...]) -> Iterator[tuple[str, str]]:
    """A key, and what is wrong with it."""
    for place, one in enumerate(webhooks):
        if (wrong := url_problem(one.url, private=one.private)) is not None:
            yield f"webhook[{place}].url", wrong
        if not one.secret:
            yield f"webhook[{place}].secret", "required: write env:NAME, or file:/path of a file with mode 0600"


def url_problem(url: str, *, private: bool) -> str | None:
    """Why this is no address to send personal data to; None if it is one. The address is not repeated: it may hold
    what others must not read.
    """
    try:
        found = urlsplit(url)
        host = found.hostname
        found.port  # noqa: B018  ValueError: it is none
    except ValueError:
        host = None
    if not host or found.scheme not in ("http", "https") or not url.isascii() or not url.isprintable() or " " in url:
        return "is no address: write it as https://example.com/path"
    if found.username is not None or found.password is not None:
        return "a user name or password does not stand in the address"
    if found.scheme == "http" and not private:
        return "plain http can be read and changed on the way: write https, or private = true inside your network"
    return None


class MqttTable(setting_types.SettingsTable, frozen=True):
    """A broker that is told events and how screening is; no host: none. `prefix`: of all topics.

    `discovery`: Home Assistant finds us by itself. `events`: which kinds are published; empty: all.
    """

    host: str = ""
    port: setting_types.Port = 1883
    tls: bool = False
    username: str = ""
    password: setting_types.Secret = ""
    prefix: setting_types.TopicPrefix = "callsieve"
    discovery: bool = True
    events: tuple[EventKind, ...] = ()
    mask: bool = False


class MailTable(setting_types.SettingsTable, frozen=True):
    """A mail server, and who gets events by mail; no host: none. `events`: which kinds; empty: none but of alerts.

    `mask`: numbers are masked, in the digest as well.
    """

    host: str = ""
    port: setting_types.Port = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: setting_types.Secret = ""
    sender: setting_types.MailAddress | Literal[""] = msgspec.field(name="from", default="")
    to: tuple[setting_types.MailAddress, ...] = ()
    language: Literal["en", "zh"] = "en"
    events: tuple[EventKind, ...] = ()
    mask: bool = True


class NotifyTable(setting_types.SettingsTable, frozen=True):
    """Any service that apprise knows; its address is a secret as a whole. `events`: which kinds; empty: none but of
    alerts.
    """

    name: setting_types.Name
    url: setting_types.Secret
    language: Literal["en", "zh"] = "en"
    events: tuple[EventKind, ...] = ()
    mask: bool = True


OneOrMore = str | tuple[str, ...]  # "reject", or ["reject", "route"]


class WhenTable(setting_types.SettingsTable, frozen=True):
    """What must be true of an event, all of it; of several values one. `prefix`: the number begins with it."""

    action: OneOrMore = ()
    level_at_least: Literal["", "tag", "warn", "challenge", "route", "reject"] = ""
    rule: OneOrMore = ()
    trunk: OneOrMore = ()
    did: OneOrMore = ()
    verdict: OneOrMore = ()
    grade: OneOrMore = ()
    status: OneOrMore = ()
    disposition: OneOrMore = ()
    prefix: OneOrMore = ()


class AlertTable(setting_types.SettingsTable, frozen=True):
    """Who is told of which events. `to`: receivers by name, `mail` and `mqtt` among them.

    `quiet_hours` and `at_most`: what is not told then is counted, and the next alert says how many.
    """

    name: setting_types.Name
    event: EventKind
    to: tuple[setting_types.Name, ...]
    when: WhenTable = WhenTable()
    quiet_hours: setting_types.Hours | None = None
    at_most: setting_types.Often = "10/h"


class DigestTable(setting_types.SettingsTable, frozen=True):
    """The mail about the day before: when it is sent, in the machine's time zone, and to whom; to nobody: none."""

    at: setting_types.Clock = "07:00"
    to: tuple[setting_types.MailAddress, ...] = ()
    language: Literal["en", "zh"] = "en"


# Where the data of an event have what a condition is about, if it is not called the same; PREFIX looks at any of these.
FIELD_BY_CONDITION = {"level_at_least": "level"}
NUMBER_FIELDS = ("number", "caller", "own_number", "dialled")
RESERVED = ("mail", "mqtt")


def receiver_problems(
    webhooks: tuple[WebhookTable, ...], mqtt: MqttTable, mail: MailTable, notify: tuple[NotifyTable, ...]
) -> Iterator[tuple[str, str]]:
    """What is wrong with brokers, mail servers and services."""
    if mail.host:
        if not mail.sender:
            yield "mail.from", "required: the address that mails come from"
        if mail.events and not mail.to:
            yield "mail.to", "required: to whom the events are mailed"
        if mail.tls == "none" and mail.password:
            yield "mail.tls", "with none the password is sent for everybody to read: write starttls or tls"
    if mail.username and not mail.password:
        yield "mail.password", "required: write env:NAME, or file:/path of a file with mode 0600"
    if mqtt.username and not mqtt.password:
        yield "mqtt.password", "required: write env:NAME, or file:/path of a file with mode 0600"
    taken = [one.name for one in webhooks]
    for place, one in enumerate(notify):
        if not one.url:
            yield f"notify[{place}].url", "required: write env:NAME, or file:/path of a file with mode 0600"
        if one.name in taken:
            yield f"notify[{place}].name", f"{one.name!r} is the name of another receiver"
        taken.append(one.name)
    for name in taken:
        if name in RESERVED:
            yield (
                "[[webhook]]" if name in [one.name for one in webhooks] else "[[notify]]",
                f"{name!r} is another one's",
            )


def alert_problems(
    alerts: tuple[AlertTable, ...], receivers: tuple[str, ...], digest: DigestTable, mail: MailTable
) -> Iterator[tuple[str, str]]:
    """Conditions that the event does not know, and receivers that are none. `receivers`: the names of those there are.

    With them the digest, which needs a mail server.
    """
    if digest.to and not mail.host:
        yield "digest.to", "needs a mail server: [mail] host"
    for place, alert in enumerate(alerts):
        if not alert.to:
            yield f"alert[{place}].to", "required: the names of receivers"
        for name in alert.to:
            if name not in receivers:
                yield f"alert[{place}].to", f"there is no receiver {name!r}{nearest(name, receivers)}"
        if "mail" in alert.to and not mail.to:
            yield "mail.to", f"required: alert {alert.name!r} goes there"
        known = {field.name for field in msgspec.structs.fields(DATA[alert.event])}
        for condition in conditions_of(alert.when):
            fields = NUMBER_FIELDS if condition == "prefix" else (FIELD_BY_CONDITION.get(condition, condition),)
            if known.isdisjoint(fields):
                yield f"alert[{place}].when.{condition}", f"{alert.event} has nothing of the kind"
        for action in values_of(alert.when, "action"):
            if action not in ACTION_BY_WORD:
                yield f"alert[{place}].when.action", f"unknown action {action!r}{nearest(action, ACTION_BY_WORD)}"


def alert_receiver(alert: str, to: str) -> str:
    """What an alert for one of its receivers is called, as a receiver of its own."""
    return f"alert/{alert}/{to}"


def conditions_of(when: WhenTable) -> list[str]:
    """The names of the conditions that are set."""
    return [field.name for field in msgspec.structs.fields(WhenTable) if getattr(when, field.name)]


def values_of(when: WhenTable, condition: str) -> tuple[str, ...]:
    """Return the values of which one must hold."""
    values: OneOrMore = getattr(when, condition)
    return (values,) if isinstance(values, str) and values else tuple(values)


def receivers_in(
    webhooks: tuple[WebhookTable, ...], mqtt: MqttTable, mail: MailTable, notify: tuple[NotifyTable, ...]
) -> tuple[str, ...]:
    """The names of all receivers, as alerts have them."""
    fixed = [name for name, table in (("mail", mail), ("mqtt", mqtt)) if table.host]
    return (*fixed, *(one.name for one in webhooks), *(one.name for one in notify))


# The database, without a user or a password: those are in the secret that `callsieve hub join` writes.
_ADDRESS = re.compile(
    r"postgres(ql)?://(?P<login>[^@/]*@)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9_.-]+)?"
    r"(\?[A-Za-z0-9_=&./%:-]*)?",
    re.ASCII,
)
PollSeconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]
MOST_FOLLOWED = 100


class HubTable(setting_types.SettingsTable, frozen=True):
    """An empty address: nothing is shared. `follow`: sites whose lists and identities are in force here, too.
    `accept_policies`: a new version of a policy of theirs is accepted as it comes, without `callsieve policy accept`.

    `private`: what only a standby of this site and a central site need is told as well. `standby`: this is the second
    PBX of the site. `secret`: what `hub join` wrote, by default a file in the state directory.
    """

    address: str = ""
    site: setting_types.Site = ""
    organisation: setting_types.Organisation = "main"
    follow: tuple[setting_types.Site, ...] = ()
    accept_policies: bool = False
    private: bool = False
    standby: bool = False
    poll_seconds: PollSeconds = 5
    secret: setting_types.Secret = ""


def hub_problems(table: HubTable) -> Iterator[tuple[str, str]]:
    """What a type cannot say, by key."""
    if len(table.follow) > MOST_FOLLOWED or table.site in table.follow or "" in table.follow:
        yield "hub.follow", f"takes at most {MOST_FOLLOWED} names of other sites"
    if not table.address:
        return
    found = _ADDRESS.fullmatch(table.address)
    if found is None:
        yield "hub.address", "write it as postgresql://hub.example.com:5432/callsieve"
    elif found["login"]:
        yield "hub.address", "has no user and no password in it: `callsieve hub join` writes those to a file"
    if not table.site:
        yield "hub.site", 'is required with an address: the name of this PBX among the others, such as "berlin"'
