"""The settings: one TOML file, in which every key has a default and is checked.

An error names the file, line, key and allowed values:
    /etc/callsieve/callsieve.toml: line 3: agi.deadline_ms: expected int <= 550
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import EnumType
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from agi.display import CHARACTERS, MAX_PREFIX, TEXTS, VERIFIED
from agi.sockets import is_loopback
from callsieve import integration_settings, setting_types
from callsieve.exchange_settings import ExchangeTable, Publish, exchange_problems, publish_problems
from callsieve.lookup_settings import LookupTable, lookup_problems
from policies.files import nearest, places_of, shown
from policies.loader import line_of_toml_error
from policies.policy import PolicyError
from reputation.encoding import SEQUENCES, Fault, Misfit, alternatives, find_misfit, keys_of
from reputation.numbers import did_number_of, is_possible_region, number_of
from reputation.own.hours import parse_spans
from reputation.weights import DEFAULT, RemovedSetting, Weights, problems_of, without_removed

T = TypeVar("T")

# The values of `[capabilities] off`. tests/callsieve/main/test_capabilities_off.py compares it with the capabilities.
OPTIONAL = (
    *("call_lists", "digest", "events", "evidence_packs", "exchange"),
    *("guide", "hub", "mark_watch"),
)
CONFIG_FILE = Path("/etc/callsieve/callsieve.toml")
SERVICE_STATE = Path("/var/lib/callsieve")
MAX_BYTES = 1 << 20

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}", re.ASCII)


# The address that strangers type. No path: links are made by adding to it.
_PUBLIC_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]{1,253})(:(?P<port>[0-9]{1,5}))?", re.ASCII)
MOST_LINE = 200

# FreePBX 15 to 17 run their own FastAGI server on this port, which is Asterisk's default. It runs the requested path as
# a script and dies if that does not exist; then ring groups ring nobody.
FREEPBX_PORT = 4573


class SettingsError(ValueError):
    """Raised if the settings cannot be used. The text names the file, the key and the remedy."""


class SettingsUnreadable(SettingsError):
    """Raised if this user may not read the settings file."""


class Agi(setting_types.SettingsTable, frozen=True):
    """Where Asterisk connects to the daemon. `users`: the local users, besides root, who may connect, by name or ID.

    `key`: a connection that sends this key is allowed too. Containers need the key, because there the kernel does not
    report the user.
    """

    listen: str = "127.0.0.1:4578"
    socket: str = "agi.sock"
    deadline_ms: setting_types.Deadline = 400
    in_flight: setting_types.InFlight = 200
    users: tuple[setting_types.Extension, ...] = ("asterisk",)
    key: setting_types.Key = ""


class StoreTable(setting_types.SettingsTable, frozen=True):
    """The file of the store."""

    path: str = "callsieve.db"


class Ami(setting_types.SettingsTable, frozen=True):
    """The connection to Asterisk's manager interface, which reports how calls end. Off if there is no user name."""

    host: str = "127.0.0.1"
    port: setting_types.Port = 5038
    username: str = ""
    secret: str = ""


class Numbers(setting_types.SettingsTable, frozen=True):
    """How national numbers are read. `region`: the region to which they belong, unless the trunk has its own region.

    `match_withheld`: whether blocklists apply to a number that the trunk delivers although the caller withholds it.
    """

    region: str = "US"
    match_withheld: bool = False


class PolicyTable(setting_types.SettingsTable, frozen=True):
    """The policy of the whole PBX: a preset or a file in `policies/`."""

    name: str = "cautious"


class Actions(setting_types.SettingsTable, frozen=True):
    """How stopped callers are treated.

    `route`: destination of routed calls, `context,exten,1`; empty: the callee's voicemail. `ask`: the kind of challenge
    if the rule names no kind. `language`: the language if the caller's country does not determine one. `appeal`:
    whether callers who are rejected or sent to voicemail hear how to appeal.
    """

    route: setting_types.Route = ""
    ask: Literal["digit", "name"] = "digit"
    language: Literal["en", "zh"] = "en"
    appeal: bool = False


class DisplayTable(setting_types.SettingsTable, frozen=True):
    """The text that phones show before a caller's name: the default language, characters per line, and own texts."""

    language: Literal["en", "zh"] = "en"
    characters: setting_types.Columns = CHARACTERS
    en: dict[str, str] = msgspec.field(default_factory=dict)
    zh: dict[str, str] = msgspec.field(default_factory=dict)


class Speech(setting_types.SettingsTable, frozen=True):
    """Recognition of the names that callers say in a challenge. `wait`: seconds that a call waits for the text.

    `model`: directory of a Whisper model for faster-whisper; empty: recognition is off.
    """

    model: str = ""
    wait: setting_types.WaitSeconds = 2.0


class Emergency(setting_types.SettingsTable, frozen=True):
    """How long calls are not screened after an emergency call from here."""

    window_minutes: setting_types.Minutes = 120


class Outbound(setting_types.SettingsTable, frozen=True):
    """The settings of the outbound guard, which checks outgoing calls. In a limit of calls, 0 means no limit.

    Attributes:
        resting: Whether to refuse calls from own numbers that rest (are out of use for a while) or were given back.
        local_rules: Whether to apply the law files.
        follow_advice: Whether to apply also the good practice in the law files, which is not binding.
        registers: Whether to apply copies of national do-not-call registers.
        needs_consent: Whether to refuse calls without consent where a law requires it.
        networks: A CSV file with the network of each range of numbers, for label checks.
    """

    observe: bool = True
    do_not_call: bool = True
    resting: bool = True
    at_risk: Literal["allow", "hold", "refuse"] = "refuse"
    first_hour: setting_types.Hour = 8
    last_hour: setting_types.Hour = 21
    local_rules: bool = True
    follow_advice: bool = False
    registers: bool = True
    needs_consent: bool = False
    calls_per_person_day: setting_types.CallLimit = 3
    calls_per_number_hour: setting_types.CallLimit = 0
    calls_per_number_day: setting_types.CallLimit = 0
    calls_per_young_number_day: setting_types.CallLimit = 100
    networks: str = ""


class HoursTable(setting_types.SettingsTable, frozen=True):
    """Hours in which people of a region may be called, instead of the hours in its law file. Empty: never."""

    region: str
    weekdays: str = ""
    saturday: str = ""
    sunday: str = ""


class Web(setting_types.SettingsTable, frozen=True):
    """The console. `hosts`: host names that browsers use. `proxies`: senders of trusted `X-Forwarded-*` headers."""

    listen: str = "127.0.0.1:8480"
    enabled: bool = False
    behind_proxy: bool = False
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    idle_minutes: setting_types.IdleMinutes = 60
    session_hours: setting_types.SessionHours = 12


class Public(setting_types.SettingsTable, frozen=True):
    """The public page for owners of numbers. `address`: its URL. `name`, `contact`: this company, and how to reach it.

    `call_in`: a DID whose dialplan goes to [callsieve-prove], so that owners prove control of their number by calling;
    empty: they cannot. `in_answers`: whether to send the address and reference in the SIP response that rejects a call.
    `call_back`: socket of the call-back helper (docs/how-to/call-back.md); empty: nobody is called back.
    """

    enabled: bool = False
    listen: str = "127.0.0.1:8482"
    address: str = ""
    name: str = ""
    contact: str = ""
    in_answers: bool = False
    call_in: str = ""
    call_back: str = ""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    @property
    def behind_proxy(self) -> bool:
        """Whether a proxy in front of the page serves HTTPS."""
        return self.address.startswith("https://")


class Company(setting_types.SettingsTable, frozen=True):
    """Our company, as named in evidence packs and proofs for carriers and others.

    `registration`: the register of companies and our number in it. `signatory`: who signs, with their role.
    `traceback`: phone number or mail address for carriers that trace a call.
    """

    name: str = ""
    address: str = ""
    registration: str = ""
    signatory: str = ""
    traceback: str = ""


class CapabilitiesTable(setting_types.SettingsTable, frozen=True):
    """Optional capabilities to switch off (`off`), with their commands, pages and endpoints. Their data stays."""

    off: tuple[str, ...] = ()


class AsteriskTable(setting_types.SettingsTable, frozen=True):
    """How `off`, `on`, `doctor` and imports run `asterisk`. `command`: the command line, split as a shell splits it.

    `etc`: the directory of Asterisk's configuration, which `asterisk install` writes and the daemon reads.
    """

    command: str = "asterisk"
    etc: str = "/etc/asterisk"


class TrunkTable(setting_types.SettingsTable, frozen=True):
    """A trunk. `reject`: how its calls are rejected. `verstat`: whether to trust its carrier's verification of callers.

    `attestation`: the STIR/SHAKEN attestation of our calls, as the trunk's carrier states it; empty: not stated.
    """

    name: setting_types.Name
    channels: str
    region: str | None = None
    trusted: bool = False
    verstat: bool = False
    own_numbers: tuple[str, ...] = ()
    reject: Literal["603", "607", "608", "busy", "not-in-service"] = "603"
    attestation: Literal["", "A", "B", "C"] = ""


class DidTable(setting_types.SettingsTable, frozen=True):
    """A number that callers dial. `screen`: whether its calls are screened; false for fax machines, alarms and lifts.

    `group`: one group, in place of `groups`. `trap`: whether nobody uses the number, so that its callers probably dial
    whole ranges or bought lists.
    """

    number: str
    groups: tuple[setting_types.Name, ...] = ()
    group: setting_types.Name | None = None
    callee: setting_types.Extension | None = None
    screen: bool = True
    trap: bool = False

    @property
    def all_groups(self) -> tuple[str, ...]:
        """The groups in `groups` or `group`."""
        return self.groups if self.group is None else (self.group,)


class PersonTable(setting_types.SettingsTable, frozen=True):
    """A person. `quiet_hours`: used if the person switches them on, such as `22-7`; default: [reputation.quiet]."""

    extension: setting_types.Extension
    endpoint: setting_types.Endpoint | None = None
    group: setting_types.Name | None = None
    language: str | None = None
    name: str | None = None
    quiet_hours: setting_types.Hours | None = None


class ScopeTable(setting_types.SettingsTable, frozen=True):
    """A policy for some of the calls: the calls of exactly one `did`, `trunk` or `group`."""

    policy: str
    did: str | None = None
    trunk: str | None = None
    group: str | None = None


class Settings(setting_types.SettingsTable, frozen=True):
    """All settings."""

    agi: Agi = Agi()
    store: StoreTable = StoreTable()
    ami: Ami = Ami()
    numbers: Numbers = Numbers()
    policy: PolicyTable = PolicyTable()
    actions: Actions = Actions()
    display: DisplayTable = DisplayTable()
    speech: Speech = Speech()
    emergency: Emergency = Emergency()
    outbound: Outbound = Outbound()
    web: Web = Web()
    api: integration_settings.Api = integration_settings.Api()
    public: Public = Public()
    company: Company = Company()
    capabilities: CapabilitiesTable = CapabilitiesTable()
    asterisk: AsteriskTable = AsteriskTable()
    reputation: Weights = DEFAULT
    trunk: tuple[TrunkTable, ...] = ()
    did: tuple[DidTable, ...] = ()
    person: tuple[PersonTable, ...] = ()
    scope: tuple[ScopeTable, ...] = ()
    hours: tuple[HoursTable, ...] = ()
    webhook: tuple[integration_settings.WebhookTable, ...] = ()
    feed: tuple[integration_settings.FeedTable, ...] = ()
    mqtt: integration_settings.MqttTable = integration_settings.MqttTable()
    mail: integration_settings.MailTable = integration_settings.MailTable()
    notify: tuple[integration_settings.NotifyTable, ...] = ()
    alert: tuple[integration_settings.AlertTable, ...] = ()
    digest: integration_settings.DigestTable = integration_settings.DigestTable()
    lookup: tuple[LookupTable, ...] = ()
    reporting: integration_settings.Reporting = integration_settings.Reporting()
    hub: integration_settings.HubTable = integration_settings.HubTable()
    publish: Publish = Publish()
    exchange: tuple[ExchangeTable, ...] = ()


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The settings and their source. `file`: None if there is no settings file and all settings are defaults.

    `usual_file`: where the file would be. `removed`: settings of older versions in the file, which have no effect.
    """

    settings: Settings
    file: Path | None
    state: Path
    usual_file: Path = CONFIG_FILE
    removed: tuple[RemovedSetting, ...] = ()

    @property
    def settings_file(self) -> Path:
        """The path of the settings file, even if there is no such file."""
        return self.file or self.usual_file

    def state_path(self, text: str) -> Path:
        """Return a path from the settings. Relative paths are below the state directory."""
        return self.state / text

    @property
    def store_path(self) -> Path:
        """The store's file."""
        return self.state_path(self.settings.store.path)

    @property
    def socket_path(self) -> Path:
        """The Unix socket for the classic AGI script."""
        return self.state_path(self.settings.agi.socket)

    @property
    def api_socket_path(self) -> Path:
        """The Unix socket of the API."""
        return self.state_path(self.settings.api.socket)

    @property
    def findings_path(self) -> Path:
        """The file in which the doctor, run as root, writes its findings.

        The file is outside the state directory, because there a symlink could mislead root.
        """
        return self.state.with_name(f"{self.state.name}-doctor") / "findings.json"

    @property
    def policy_directories(self) -> tuple[Path, ...]:
        """The directories of policy files, in order of precedence. The first has policies activated in the console."""
        own = (self.file.parent / "policies",) if self.file else ()
        return (self.state / "policies", *own)


def load_settings(config: Path | None, environment: Mapping[str, str] = os.environ) -> Loaded:
    """Load the settings file: --config, CALLSIEVE_CONFIG, or the file in /etc/callsieve. Raise SettingsError.

    Without a file, all settings are defaults.
    """
    file, is_named = _file_of(config, environment)
    text = _read(file, required=is_named)
    settings = Settings() if text is None else parse_settings(text, str(file))
    secret = environment.get("CALLSIEVE_AMI_SECRET")
    if secret:
        settings = msgspec.structs.replace(settings, ami=msgspec.structs.replace(settings.ami, secret=secret))
    place = None if text is None else file.absolute()
    removed = removed_settings(text or "")
    return Loaded(settings=settings, file=place, state=_state_directory(environment), removed=removed)


def load_or_salvage(config: Path | None) -> tuple[Loaded, SettingsError | None]:
    """Return the settings and None. If the file has an error, return its readable tables and the error.

    In the second case only the tables in SALVAGED are read, and all other tables are defaults. The commands off, on,
    emergency and doctor must work with a broken file.
    """
    try:
        return load_settings(config), None
    except SettingsError as error:
        settings = _salvaged(_file_of(config, os.environ)[0])
        return Loaded(settings=settings, file=None, state=_state_directory(os.environ)), error


def switched_off(config: Path | None) -> frozenset[str]:
    """Return the names in `[capabilities] off`, even if the file has errors elsewhere. Empty if they cannot be read."""
    with suppress(ValueError, RecursionError):  # SettingsError and msgspec's are ValueErrors, too
        table = tomllib.loads(_read(_file_of(config, os.environ)[0], required=True) or "")
        off = msgspec.convert(table.get("capabilities", {}), CapabilitiesTable).off
        return frozenset(off) if set(off) <= set(OPTIONAL) else frozenset()
    return frozenset()


# How Asterisk is asked, where the store is, and how long the window after an emergency call is open.
SALVAGED = ("asterisk", "store", "emergency")


def _salvaged(file: Path) -> Settings:
    table: Mapping[str, Any] = {}
    with suppress(ValueError, RecursionError):  # SettingsError and msgspec's are ValueErrors, too
        table = tomllib.loads(_read(file, required=True) or "")
    settings = Settings()
    for name in SALVAGED:
        with suppress(ValueError):
            read = msgspec.convert({name: table[name]} if name in table else {}, Settings)
            settings = msgspec.structs.replace(settings, **{name: getattr(read, name)})
    return settings


def _file_of(config: Path | None, environment: Mapping[str, str]) -> tuple[Path, bool]:
    """Return the settings file, and whether it was named explicitly, so that it must exist."""
    named = config or (Path(environment["CALLSIEVE_CONFIG"]) if environment.get("CALLSIEVE_CONFIG") else None)
    return named or CONFIG_FILE, named is not None


def _state_directory(environment: Mapping[str, str]) -> Path:
    """Return the first of CALLSIEVE_STATE, STATE_DIRECTORY, the service's directory if it exists, and XDG's.

    The service's directory is returned even if this user may not use it: an error is better than writing where the
    daemon never reads.
    """
    for variable in ("CALLSIEVE_STATE", "STATE_DIRECTORY"):
        if environment.get(variable):
            return Path(environment[variable].split(":")[0]).absolute()
    if os.path.isdir(SERVICE_STATE):
        return SERVICE_STATE
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "callsieve"


def _read(file: Path, *, required: bool) -> str | None:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise SettingsError(f"{file}: larger than {MAX_BYTES} bytes: not a settings file")
        return raw.decode("utf-8")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not required:
            return None
        kind = SettingsUnreadable if isinstance(error, PermissionError) else SettingsError
        raise kind(f"{file}: cannot be read: {error.strerror}: check --config and permissions") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8 at byte {error.start}: save the file as UTF-8") from None


def parse_settings(text: str, source: str) -> Settings:
    """Parse the settings. Raise SettingsError, which names `source`, the line, the key and the allowed values."""
    settings = parse_table(text, source, Settings, _without_removed)
    for key, problem in _problems(settings):
        raise SettingsError(f"{source}: {_with_line(f'{key}: {problem}', text)}")
    return settings


def _without_removed(table: dict[str, Any]) -> dict[str, Any]:
    reputation = table.get("reputation")
    return table | {"reputation": without_removed(reputation)[0]} if isinstance(reputation, dict) else table


def removed_settings(text: str) -> tuple[RemovedSetting, ...]:
    """Return the settings in the text that only older versions had."""
    with suppress(ValueError, RecursionError):  # reading the settings reports the error
        reputation = tomllib.loads(text).get("reputation")
        return without_removed(reputation)[1] if isinstance(reputation, dict) else ()
    return ()


def parse_table(
    text: str, source: str, kind: type[T], prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda table: table
) -> T:
    """Parse TOML and check its types. Raise SettingsError. `prepare`: changes the parsed table before the check."""
    try:
        table = prepare(tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; numbers of 5000 digits; 1000 brackets in a row
        line = line_of_toml_error(error, text)
        place = f"line {line}: " if line is not None else ""
        raise SettingsError(f"{source}: {place}not TOML: {error}") from None
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        misfit = find_misfit(table, kind)
        explained = _explained(misfit) if misfit is not None else str(error)
        raise SettingsError(f"{source}: {_with_line(explained, text)}") from None


def _with_line(error: str, text: str) -> str:
    """Return the error with its line number: `line 3: agi.lisen: unknown key`. Errors about tables have no line."""
    key, _, _ = error.partition(": ")
    if not re.fullmatch(r"[\w.\[\]-]+", key):
        return error
    path = tuple(name or int(index) for index, name in re.findall(r"\[([0-9]+)\]|([^.\[\]]+)", key))
    with suppress(PolicyError):  # a key of too many parts
        return f"line {places_of(text).line_of(path)}: {error}"
    return error


def _explained(misfit: Misfit) -> str:
    place = misfit.place
    if misfit.fault is Fault.UNKNOWN_KEY:
        key = place.rpartition(".")[2]
        return f"{place}: unknown key{nearest(key, keys_of(misfit.kind))}"
    if misfit.fault is Fault.MISSING_KEY:
        return f"{place}: required"
    for kind in alternatives(misfit.kind):
        words = get_args(kind) if get_origin(kind) is Literal else kind if isinstance(kind, EnumType) else ()
        if words and isinstance(misfit.value, str):
            return f"{place}: unknown value {misfit.value!r}{nearest(misfit.value, words)}"
        if get_origin(kind) in SEQUENCES and isinstance(misfit.value, dict):
            return f"{place}: a list of tables is written as [[{place}]]"
        if isinstance(misfit.value, str) and (hint := setting_types.WRITTEN_AS.get(_pattern_of(kind))) is not None:
            return f"{place}: {hint}"
    return f"{place or 'the file'}: {misfit.words[:1].lower()}{misfit.words[1:].replace('`', '')}"


def _pattern_of(kind: Any) -> str:
    bounds = (part for part in get_args(kind)[1:] if isinstance(part, msgspec.Meta))
    return next((meta.pattern for meta in bounds if meta.pattern), "")


Problems = Iterator[tuple[str, str]]  # a key, and what is wrong with it


def _problems(settings: Settings) -> Problems:
    """Yield each key with an error that types cannot detect, and the error. The caller reports only the first key."""
    if (wrong := _address_problem(settings.agi.listen) or _freepbx_problem(settings.agi.listen)) is not None:
        yield "agi.listen", wrong
    yield from _web_problems(settings.web)
    yield from _api_problems(settings)
    yield from _public_problems(settings.public)
    yield from _outbound_problems(settings)
    home = settings.numbers.region
    yield from _region_problem("numbers.region", home)
    for trunk in settings.trunk:
        yield from _region_problem(f"trunk '{trunk.name}'.region", trunk.region or home)
    for key, problem in problems_of(settings.reputation):
        yield f"reputation.{key}", problem
    yield from _display_problems(settings.display)
    for trunk in settings.trunk:
        for text in trunk.own_numbers:
            if number_of(text, trunk.region or home) is None:
                yield f"trunk '{trunk.name}'.own_numbers", f"{text!r} is not a number: write it as +442071838750"
    for scope in settings.scope:
        if [bool(value) for value in (scope.did, scope.trunk, scope.group) if value is not None] != [True]:
            yield f"scope with policy {scope.policy!r}", "needs exactly one of `did`, `trunk` and `group`"
    for did in settings.did:
        if did.groups and did.group is not None:
            yield f"did '{did.number}'.group", "cannot be used together with `groups`: write all names into `groups`"
        if did.trap and (did.callee is not None or did.all_groups or not did.screen):
            yield (
                f"did '{did.number}'.trap",
                "cannot be used with `callee`, `groups` or `screen = false`: a trap belongs to nobody",
            )
    yield from _repeated("trunk", [trunk.name for trunk in settings.trunk])
    yield from _repeated("did", [did_number_of(did.number, home) or did.number for did in settings.did])
    yield from _repeated("person", [person.extension for person in settings.person])
    yield from integration_settings.webhook_problems(settings.webhook)
    yield from _repeated("webhook", [webhook.name for webhook in settings.webhook])
    yield from integration_settings.feed_problems(settings.feed)
    for place, feed in enumerate(settings.feed):
        yield from _region_problem(f"feed[{place}].region", feed.region or home)
    yield from integration_settings.reporting_problems(settings.reporting, settings.feed)
    yield from _repeated("feed", [feed.name for feed in settings.feed])
    receivers = (settings.webhook, settings.mqtt, settings.mail, settings.notify)
    yield from integration_settings.receiver_problems(*receivers)
    yield from integration_settings.alert_problems(
        settings.alert, integration_settings.receivers_in(*receivers), settings.digest, settings.mail
    )
    yield from _repeated("alert", [alert.name for alert in settings.alert])
    yield from integration_settings.hub_problems(settings.hub)
    yield from lookup_problems(settings.lookup, settings.agi.deadline_ms)
    yield from _repeated("lookup", [table.name for table in settings.lookup])
    for name in settings.capabilities.off:
        if name not in OPTIONAL:
            yield "capabilities.off", f"{shown(name)} cannot be switched off; only these can: {', '.join(OPTIONAL)}"
    yield from publish_problems(settings.publish)
    yield from exchange_problems(settings.exchange)
    yield from _repeated("exchange", [table.name for table in settings.exchange])


def _region_problem(key: str, region: str) -> Problems:
    if not is_possible_region(region):
        yield key, f"{region!r} is not a region: use two letters such as US, GB or CN"


def _outbound_problems(settings: Settings) -> Problems:
    outbound = settings.outbound
    if outbound.first_hour >= outbound.last_hour:
        yield "outbound.last_hour", f"must be later than first_hour, which is {outbound.first_hour}"
    for table in settings.hours:
        yield from _region_problem("hours.region", table.region)
        for key in ("weekdays", "saturday", "sunday"):
            try:
                parse_spans(getattr(table, key))
            except ValueError as error:
                yield f"hours '{table.region}'.{key}", str(error)
    yield from _repeated("hours", [table.region.upper() for table in settings.hours])


def _web_problems(web: Web) -> Problems:
    """Yield errors in [web]. Without a proxy the console uses plain HTTP, so it must listen on loopback only."""
    wrong = _form_problem(web.listen) if web.behind_proxy else _address_problem(web.listen)
    if wrong is not None:
        yield (
            "web.listen",
            wrong
            if web.behind_proxy
            else f"{wrong}; to reach it from other computers, put a web server with TLS in front of the console",
        )
    for host in web.hosts:
        if not HOST.fullmatch(host):
            yield "web.hosts", f"{host[:60]!r} is not a host name"
    yield from _proxy_problems("web.proxies", web.proxies)


def _proxy_problems(key: str, proxies: tuple[str, ...]) -> Problems:
    for proxy in proxies:
        try:
            network = ipaddress.ip_network(proxy)
        except ValueError:
            yield key, f"{proxy[:60]!r} is neither an address nor a network: write it as 192.0.2.1"
        else:
            if network.prefixlen == 0:
                yield (
                    key,
                    f"{proxy!r} trusts every address, so anybody could forge a client address: "
                    "write your proxy's address, such as 192.0.2.1",
                )


def _public_problems(public: Public) -> Problems:
    """Yield errors in [public]. Without a proxy the page uses plain HTTP, so it must listen on loopback only."""
    yield from _proxy_problems("public.proxies", public.proxies)
    if (wrong := (_form_problem if public.behind_proxy else _address_problem)(public.listen)) is not None:
        yield (
            "public.listen",
            wrong
            if public.behind_proxy
            else f"{wrong}; if the web proxy is on another server, name it in `proxies` of [public]",
        )
    for key, text in (("name", public.name), ("contact", public.contact)):
        if len(text) > MOST_LINE or not text.isprintable():
            yield f"public.{key}", f"must be one line of at most {MOST_LINE} characters"
    if public.call_in and (public.call_in[0] != "+" or number_of(public.call_in, "US") is None):
        yield "public.call_in", f"{public.call_in[:40]!r} is not a number: write it as +442071838750"
    if public.call_back and not Path(public.call_back).is_absolute():
        yield "public.call_back", "must be the path of the helper's socket: /run/callsieve-call-back/socket"
    if not public.address and not public.enabled:
        return
    match = _PUBLIC_ADDRESS.fullmatch(public.address)
    if match is None or not HOST.fullmatch(match["host"]) or not 0 < int(match["port"] or 443) < 65536:
        yield "public.address", f"{public.address[:80]!r} is not an address: write it as https://appeals.example.org"
    elif match["scheme"] == "http" and match["host"] not in ("localhost", "127.0.0.1"):
        wrong = "must be https, because strangers send names and documents; http is allowed for localhost only"
        yield "public.address", f"{public.address!r} {wrong}"
    elif match["scheme"] == "https" and not public.proxies:
        yield "public.proxies", "must not be empty with https: write the proxy's address, or remove the key"
    if public.enabled and not public.name.strip():
        yield "public.name", "required with enabled = true: it tells visitors whose page it is"


def _api_problems(settings: Settings) -> Problems:
    """Yield errors in [api] listen: it must be on loopback, because requests to it contain tokens unencrypted."""
    listen, web = settings.api.listen, settings.web
    if not listen:
        return
    wrong = _form_problem(listen) if web.behind_proxy else _address_problem(listen)
    if wrong is not None:
        yield (
            "api.listen",
            wrong
            if web.behind_proxy
            else f"{wrong}; to reach it from other computers, put a web server with TLS in front of the API",
        )
    elif _form_problem(web.listen) is None and address_of(listen)[1] == address_of(web.listen)[1]:
        taken = address_of(listen)[1]
        yield "api.listen", f"the console listens on port {taken}: choose another port, or leave this key empty"


def _display_problems(display: DisplayTable) -> Problems:
    for language, texts in (("en", display.en), ("zh", display.zh)):
        for word, text in texts.items():
            key = f"display.{language}.{word}"
            if word not in TEXTS[language]:
                yield key, f"unknown key{nearest(word, TEXTS[language])}"
            elif len(text) > MAX_PREFIX or not text.isprintable() or not (text.strip() or word == VERIFIED):
                yield key, f"{shown(text)}: must be 1 to {MAX_PREFIX} characters"


def _repeated(table: str, keys: list[str]) -> Problems:
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"[[{table}]]", f"{key!r} appears twice: names must be unique"


def address_of(text: str) -> tuple[str, int]:
    """Parse `127.0.0.1:4578` or `[::1]:4578` into host and port. Raise ValueError for a text of another form."""
    host, _, port = text.rpartition(":")
    address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(port)
    return str(address), int(port)


def _form_problem(text: str) -> str | None:
    try:
        address_of(text)
    except ValueError:
        return f"{text!r} is not an address: write it as 127.0.0.1:4578"
    return None


def _freepbx_problem(listen: str) -> str | None:
    if address_of(listen)[1] != FREEPBX_PORT:
        return None
    return (
        f"port {FREEPBX_PORT} belongs to FreePBX's own FastAGI server, which CallSieve's requests would crash: "
        "write 127.0.0.1:4578, then run: callsieve asterisk install"
    )


def _address_problem(text: str) -> str | None:
    if (wrong := _form_problem(text)) is not None:
        return wrong
    if not is_loopback(address_of(text)[0]):
        return f"{text!r} is not a loopback address: use 127.0.0.1"
    return None
