"""The settings of connections to other systems (API, events, feeds, reporting, hub), and checks of their values."""

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
    """The API for programs with a token, at the console's address. `listen`: address of the API process, or empty.

    `socket`: the Unix socket of the API process, served even without `enabled`. `per_minute`: the default limit of a
    token's requests. `recorded_per_second`: how many screening requests of a token are written to the journal in a
    second. Further requests in the same second are answered but not recorded.
    """

    enabled: bool = False
    listen: str = ""
    socket: str = "api.sock"
    per_minute: setting_types.RequestRate = 600
    recorded_per_second: setting_types.RequestRate = 50


class WebhookTable(setting_types.SettingsTable, frozen=True):
    """A server to which events are posted, signed with `secret`. `events`: the kinds to post; empty: all.

    `mask`: whether to mask phone numbers. `private`: whether the server is in your own network, and may use plain http.
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
    """A list of numbers that is fetched regularly, in a format that `callsieve import feed` reads.

    `sha256`: the hash of the file, or the address of a file with the hash. `minisign`: the public key that verifies the
    signature. `megabytes`: the largest file to accept. `private`: whether the server is in your own network.
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
    """The settings for reporting marks to PhoneBlock. A report contains only the number and the kind of spam.

    `delay_minutes`: a mark removed within this time is never reported. `private`: whether `url` is in your own network.
    """

    enabled: bool = False
    token: setting_types.Secret = ""
    delay_minutes: DelayMinutes = 60
    url: str = "https://phoneblock.net/phoneblock/api"
    private: bool = False


class Reporting(setting_types.SettingsTable, frozen=True):
    """The services that get reports of marks; none by default."""

    phoneblock: PhoneBlockReporting = PhoneBlockReporting()


def reporting_problems(reporting: Reporting, feeds: tuple[FeedTable, ...]) -> Iterator[tuple[str, str]]:
    """Yield each invalid key with an error message. No feed may return this site's own reports to it as evidence."""
    phoneblock, key = reporting.phoneblock, "reporting.phoneblock"
    if (wrong := url_problem(phoneblock.url, private=phoneblock.private)) is not None:
        yield f"{key}.url", wrong
    if phoneblock.enabled and not phoneblock.token:
        yield f"{key}.token", "required: write env:NAME, or file:/path of a file with mode 0600"
    for place, feed in enumerate(feeds):
        if phoneblock.enabled and urlsplit(feed.url).hostname == urlsplit(phoneblock.url).hostname:
            yield (
                f"feed[{place}].url",
                "belongs to the service that receives our reports, and would return our marks as other "
                "people's evidence: remove this feed",
            )


def feed_problems(feeds: tuple[FeedTable, ...]) -> Iterator[tuple[str, str]]:
    """Yield each invalid key of `[[feed]]` with an error message. callsieve.settings checks region and unique name."""
    for place, feed in enumerate(feeds):
        key = f"feed[{place}]"
        if (wrong := url_problem(feed.url, private=feed.private)) is not None:
            yield f"{key}.url", wrong
        if feed.sha256 and not SHA256.fullmatch(feed.sha256) and url_problem(feed.sha256, private=feed.private):
            yield (
                f"{key}.sha256",
                "must be 64 hexadecimal digits, or an address such as https://example.com/list.csv.sha256",
            )
        if feed.minisign and not MINISIGN_KEY.fullmatch(feed.minisign):
            yield f"{key}.minisign", "must be the public key: the line of minisign.pub that begins with RW"


def webhook_problems(webhooks: tuple[WebhookTable, ...]) -> Iterator[tuple[str, str]]:
    """Yield each invalid key of `[[webhook]]` with an error message."""
    for place, webhook in enumerate(webhooks):
        if (wrong := url_problem(webhook.url, private=webhook.private)) is not None:
            yield f"webhook[{place}].url", wrong
        if not webhook.secret:
            yield f"webhook[{place}].secret", "required: write env:NAME, or file:/path of a file with mode 0600"


def url_problem(url: str, *, private: bool) -> str | None:
    """Return why personal data must not be sent to this URL; None if it may. The text does not contain the URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018  raises ValueError if it is not a port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or not url.isprintable() or " " in url:
        return "is not a URL: write it like https://example.com/path"
    if parts.username is not None or parts.password is not None:
        return "the address must not contain a user name or password"
    if parts.scheme == "http" and not private:
        return "plain http can be read and changed in transit: use https, or private = true inside your network"
    return None


class MqttTable(setting_types.SettingsTable, frozen=True):
    """The MQTT broker that receives events and the screening state. `host`: the broker's address; empty: no broker.

    `prefix`: the beginning of all topics. `discovery`: whether to announce CallSieve to Home Assistant as a device.
    `events`: the kinds to publish; empty: all.
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
    """The mail server and the recipients of events. `host`: the server's address; empty: no mail.

    `events`: the kinds to send; empty: only alerts. `mask`: whether to mask phone numbers, also in the digest.
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
    """A service that apprise can notify, by a secret URL. `events`: the kinds to send; empty: only alerts."""

    name: setting_types.Name
    url: setting_types.Secret
    language: Literal["en", "zh"] = "en"
    events: tuple[EventKind, ...] = ()
    mask: bool = True


OneOrMore = str | tuple[str, ...]  # "reject", or ["reject", "route"]


class WhenTable(setting_types.SettingsTable, frozen=True):
    """Conditions on the fields of an event. All must hold; a condition holds if one of its values matches the field.

    `prefix`: first digits of a phone number in the event.
    """

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
    """An alert rule. `event`: the kind of event. `to`: names of the receivers that get an alert, or `mail` or `mqtt`.

    `quiet_hours`: hours without alerts. `at_most`: how many alerts a receiver gets in a period, such as `10/h`. The
    next alert says how many were suppressed.
    """

    name: setting_types.Name
    event: EventKind
    to: tuple[setting_types.Name, ...]
    when: WhenTable = WhenTable()
    quiet_hours: setting_types.Hours | None = None
    at_most: setting_types.Often = "10/h"


class DigestTable(setting_types.SettingsTable, frozen=True):
    """The daily mail about the previous day, sent at the server's time `at`. `to`: the recipients; empty: no mail."""

    at: setting_types.Clock = "07:00"
    to: tuple[setting_types.MailAddress, ...] = ()
    language: Literal["en", "zh"] = "en"


# The field of an event that a condition tests, if its name differs. `prefix` tests NUMBER_FIELDS.
FIELD_BY_CONDITION = {"level_at_least": "level"}
NUMBER_FIELDS = ("number", "caller", "own_number", "dialled")
RESERVED = ("mail", "mqtt")


def receiver_problems(
    webhooks: tuple[WebhookTable, ...], mqtt: MqttTable, mail: MailTable, notify: tuple[NotifyTable, ...]
) -> Iterator[tuple[str, str]]:
    """Yield each invalid key of webhooks, MQTT, mail and apprise services with an error message."""
    if mail.host:
        if not mail.sender:
            yield "mail.from", "required: the sender's address"
        if mail.events and not mail.to:
            yield "mail.to", "required: the addresses that events are mailed to"
        if mail.tls == "none" and mail.password:
            yield "mail.tls", "`none` would send the password unencrypted: write starttls or tls"
    if mail.username and not mail.password:
        yield "mail.password", "required: write env:NAME, or file:/path of a file with mode 0600"
    if mqtt.username and not mqtt.password:
        yield "mqtt.password", "required: write env:NAME, or file:/path of a file with mode 0600"
    taken = [webhook.name for webhook in webhooks]
    for place, service in enumerate(notify):
        if not service.url:
            yield f"notify[{place}].url", "required: write env:NAME, or file:/path of a file with mode 0600"
        if service.name in taken:
            yield f"notify[{place}].name", f"{service.name!r} is the name of another receiver"
        taken.append(service.name)
    for name in taken:
        if name in RESERVED:
            yield (
                "[[webhook]]" if name in [webhook.name for webhook in webhooks] else "[[notify]]",
                f"{name!r} is reserved: choose another name",
            )


def alert_problems(
    alerts: tuple[AlertTable, ...], receivers: tuple[str, ...], digest: DigestTable, mail: MailTable
) -> Iterator[tuple[str, str]]:
    """Yield each invalid key of `[[alert]]` and `[digest]` with a message. `receivers`: the names of all receivers."""
    if digest.to and not mail.host:
        yield "digest.to", "needs a mail server: set `host` in [mail]"
    for place, alert in enumerate(alerts):
        if not alert.to:
            yield f"alert[{place}].to", "required: the names of receivers"
        for name in alert.to:
            if name not in receivers:
                yield f"alert[{place}].to", f"there is no receiver {name!r}{nearest(name, receivers)}"
        if "mail" in alert.to and not mail.to:
            yield "mail.to", f"required: the addresses of alert {alert.name!r}, which is sent by mail"
        known = {field.name for field in msgspec.structs.fields(DATA[alert.event])}
        for condition in conditions_of(alert.when):
            fields = NUMBER_FIELDS if condition == "prefix" else (FIELD_BY_CONDITION.get(condition, condition),)
            if known.isdisjoint(fields):
                yield (
                    f"alert[{place}].when.{condition}",
                    f"events of the kind {alert.event} have no field for this condition",
                )
        for action in values_of(alert.when, "action"):
            if action not in ACTION_BY_WORD:
                yield f"alert[{place}].when.action", f"unknown action {action!r}{nearest(action, ACTION_BY_WORD)}"


def alert_receiver(alert: str, to: str) -> str:
    """Return the name under which the deliveries of an alert to the receiver `to` are stored."""
    return f"alert/{alert}/{to}"


def conditions_of(when: WhenTable) -> list[str]:
    """Return the names of the conditions that are set in this table."""
    return [field.name for field in msgspec.structs.fields(WhenTable) if getattr(when, field.name)]


def values_of(when: WhenTable, condition: str) -> tuple[str, ...]:
    """Return the values of a condition. The condition holds if one value matches."""
    values: OneOrMore = getattr(when, condition)
    return (values,) if isinstance(values, str) and values else tuple(values)


def receivers_in(
    webhooks: tuple[WebhookTable, ...], mqtt: MqttTable, mail: MailTable, notify: tuple[NotifyTable, ...]
) -> tuple[str, ...]:
    """Return the names of all receivers in these settings."""
    fixed = [name for name, table in (("mail", mail), ("mqtt", mqtt)) if table.host]
    return (*fixed, *(table.name for table in webhooks), *(table.name for table in notify))


# The database, without user and password, which are in the secret that `callsieve hub join` writes.
_ADDRESS = re.compile(
    r"postgres(ql)?://(?P<login>[^@/]*@)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9_.-]+)?"
    r"(\?[A-Za-z0-9_=&./%:-]*)?",
    re.ASCII,
)
PollSeconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]
MOST_FOLLOWED = 100


class HubTable(setting_types.SettingsTable, frozen=True):
    """The hub through which sites share evidence.

    Attributes:
        address: The hub's address; empty: this site uses no hub.
        follow: The sites whose lists and identities apply here too.
        accept_policies: Whether to accept, without asking, new versions of policies that the sites in `follow` publish.
        private: Whether to share also data that only a standby or central console needs.
        standby: Whether this PBX is the site's second PBX.
        secret: The file from `hub join`, by default in the state folder.
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
    """Yield each invalid key of `[hub]` with an error message."""
    if len(table.follow) > MOST_FOLLOWED or table.site in table.follow or "" in table.follow:
        yield "hub.follow", f"takes at most {MOST_FOLLOWED} names of other sites"
    if not table.address:
        return
    match = _ADDRESS.fullmatch(table.address)
    if match is None:
        yield "hub.address", "write it as postgresql://hub.example.com:5432/callsieve"
    elif match["login"]:
        yield "hub.address", "must not contain a user or password: `callsieve hub join` writes them to a file"
    if not table.site:
        yield "hub.site", 'required with an address: the name of this PBX, such as "berlin"'
