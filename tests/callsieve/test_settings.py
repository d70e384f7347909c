"""The settings file: every default, every kind of error, where it is looked for, and what becomes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import callsieve.settings
from agi.display import Display
from agi.site import Site, Trunk
from callsieve.settings import (
    MAX_BYTES,
    Loaded,
    Settings,
    SettingsError,
    address_of,
    load_settings,
    parse_settings,
)
from callsieve.text.times import day, when_with_zone
from callsieve.wiring import dids_of, own_numbers_of, people_of, policies_of, site_of, wanted_events_of
from policies.outbound import OutboundRules, Passage
from policies.policy import PolicyError
from policies.situation import ScreeningHours
from reputation.events import EventKind
from reputation.law.loader import hours_by_law, shipped_laws
from reputation.model import Did, Person
from reputation.own.hours import CallingHours, Hours, QuietHours, daily, parse_spans
from reputation.weights import Weights
from tests.builders import make_call, make_did, make_facts

# Everything that docs/reference/settings.md shows, with values that are not the defaults.
EVERYTHING = """
[agi]
listen = "127.0.0.1:4574"
socket = "/run/callsieve/agi.sock"
deadline_ms = 300
in_flight = 100
users = ["pbx"]
key = "0123456789abcdef"
[speech]
model = "/srv/models/base"
wait = 1.5
[store]
path = "calls.db"
[ami]
host = "pbx.example"
port = 5039
username = "callsieve"
secret = "from the file"
[numbers]
region = "GB"
match_withheld = true
[policy]
name = "balanced"
[actions]
route = "desk,s,1"
ask = "name"
language = "zh"
appeal = true
[display]
language = "zh"
characters = 24
en = {spam = "Junk?"}
zh = {verified = ""}
[emergency]
window_minutes = 60
[outbound]
observe = false
do_not_call = false
resting = false
at_risk = "hold"
first_hour = 9
networks = "/etc/callsieve/networks.csv"
last_hour = 20
local_rules = false
follow_advice = true
registers = false
needs_consent = true
calls_per_person_day = 2
calls_per_number_hour = 30
calls_per_number_day = 200
calls_per_young_number_day = 50
[[hours]]
region = "NL"
weekdays = "09:00-12:00 13:00-18:00"
[api]
enabled = true
listen = "127.0.0.1:8482"
socket = "/run/callsieve/api.sock"
per_minute = 60
recorded_per_second = 20
[public]
enabled = true
listen = "127.0.0.1:8483"
address = "https://appeals.example.org"
name = "Example Ltd"
contact = "appeals@example.org"
call_in = "+442071838753"
call_back = "/run/callsieve-call-back/socket"
in_answers = true
proxies = ["192.0.2.7"]
[company]
name = "Example Ltd"
address = "12 High Street"
registration = "Companies House 01234567"
signatory = "Jo Carol, Director"
traceback = "traceback@example.org"
[asterisk]
command = "docker exec pbx asterisk"
etc = "/srv/pbx/etc"
[web]
listen = "[::1]:8481"
behind_proxy = true
hosts = ["pbx.example.org"]
proxies = ["192.0.2.0/24"]
idle_minutes = 30
session_hours = 8
enabled = true
[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"
region = "US"
trusted = true
own_numbers = ["+442071838750", "(201) 742-1834"]
reject = "busy"
[[trunk]]
name = "Second one"
channels = "SIP/second-*"
verstat = true
own_numbers = ["020 7183 8751"]
[[did]]
number = "020 7183 8750"
group = "sales"
[[did]]
number = "+442071838752"
callee = "201"
[[did]]
number = "+442071838753"
groups = ["sales", "support"]
[[did]]
number = "s"
screen = false
[[person]]
extension = "201"
endpoint = "PJSIP/phone-201"
quiet_hours = "21-24"
group = "sales"
language = "en"
name = "Alice"
[[person]]
extension = "202"
[[scope]]
did = "020 7183 8750"
policy = "strict"
[[scope]]
trunk = "carrier"
policy = "observe"
[[scope]]
group = "sales"
policy = "cautious"
[reporting.phoneblock]
enabled = true
token = "env:PHONEBLOCK_TOKEN"
delay_minutes = 30
url = "https://phoneblock.net/pb-test/api"
[[feed]]
name = "theirs"
url = "https://example.com/list.csv"
every = "6h"
verdict = "ok"
region = "GB"
sha256 = "https://example.com/list.csv.sha256"
minisign = "RWRluy8ZKPI+gaC6rMuWXc52jx+jc8hoGchBFKau7/Tb4VVjHfkVEqOI"
megabytes = 20
[[webhook]]
name = "crm"
url = "http://192.0.2.9:8080/hook"
secret = "env:CRM_SECRET"
events = ["appeal.opened"]
mask = true
private = true
[mqtt]
host = "broker.example"
port = 8883
tls = true
username = "callsieve"
password = "env:MQTT_PASSWORD"
prefix = "pbx/callsieve"
discovery = false
events = ["call.ended"]
mask = true
[mail]
host = "mail.example"
port = 465
tls = "tls"
username = "callsieve"
password = "env:MAIL_PASSWORD"
from = "pbx@example.com"
to = ["office@example.com"]
language = "zh"
events = ["appeal.opened"]
mask = false
[[notify]]
name = "telegram"
url = "env:TELEGRAM_URL"
language = "zh"
events = ["appeal.due"]
mask = false
[[alert]]
name = "night"
event = "decision.taken"
to = ["telegram", "mail"]
when = { action = ["reject"], level_at_least = "warn", prefix = ["+44"] }
quiet_hours = "22-7"
at_most = "3/h"
[digest]
at = "06:30"
to = ["boss@example.com"]
language = "zh"
[publish]
directory = "/srv/exchange"
name = "Example Ltd"
never = ["+4420718387"]
cleared = false
[[exchange]]
name = "partner"
url = "https://example.com/callsieve/"
key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
weight = 0.5
every = "1d"
megabytes = 10
private = true
[[lookup]]
name = "scores"
kind = "http"
url = "http://192.0.2.9:8080/{digits}"
token = "env:SCORES_KEY"
auth = "header"
header = "X-Api-Key"
send = "number"
consent = true
budget_ms = 100
daily_limit = 50
cost = 0.01
daily_spend = 0.2
regions = ["GB"]
fresh_hours = 12
max_age_days = 7
spam_votes = 9
spam_when = ["score >= 75"]
ok_when = ["score < 10"]
category = "kind"
categories = {phishing = "scam"}
private = true
[hub]
address = "postgresql://hub.example.com:5433/callsieve?sslrootcert=/etc/callsieve/hub.pem"
site = "berlin"
organisation = "acme"
follow = ["head-office"]
accept_policies = true
private = true
standby = true
poll_seconds = 30
secret = "env:HUB_SECRET"
[capabilities]
off = ["guide"]
"""

DEFAULTS: dict[str, Any] = {
    "speech": {"model": "", "wait": 2.0},
    "agi": {
        "listen": "127.0.0.1:4578",
        "socket": "agi.sock",
        "deadline_ms": 400,
        "in_flight": 200,
        "users": ("asterisk",),
        "key": "",
    },
    "store": {"path": "callsieve.db"},
    "capabilities": {"off": ()},
    "ami": {"host": "127.0.0.1", "port": 5038, "username": "", "secret": ""},
    "numbers": {"region": "US", "match_withheld": False},
    "policy": {"name": "cautious"},
    "actions": {"route": "", "ask": "digit", "language": "en", "appeal": False},
    "display": {"language": "en", "characters": 32, "en": {}, "zh": {}},
    "emergency": {"window_minutes": 120},
    "outbound": {
        "observe": True,
        "do_not_call": True,
        "resting": True,
        "at_risk": "refuse",
        "first_hour": 8,
        "last_hour": 21,
        "local_rules": True,
        "follow_advice": False,
        "registers": True,
        "needs_consent": False,
        "calls_per_person_day": 3,
        "calls_per_number_hour": 0,
        "calls_per_number_day": 0,
        "calls_per_young_number_day": 100,
        "networks": "",
    },
    "hours": (),
    "web": {
        "listen": "127.0.0.1:8480",
        "enabled": False,
        "behind_proxy": False,
        "hosts": (),
        "proxies": ("127.0.0.1", "::1"),
        "idle_minutes": 60,
        "session_hours": 12,
    },
    "api": {"enabled": False, "listen": "", "socket": "api.sock", "per_minute": 600, "recorded_per_second": 50},
    "public": {
        **{"enabled": False, "listen": "127.0.0.1:8482", "address": "", "name": "", "contact": "", "call_in": ""},
        **{"in_answers": False, "call_back": ""},
        "proxies": ("127.0.0.1", "::1"),
    },
    "company": {"name": "", "address": "", "registration": "", "signatory": "", "traceback": ""},
    "asterisk": {"command": "asterisk", "etc": "/etc/asterisk"},
    "trunk": (),
    "did": (),
    "person": (),
    "scope": (),
    "webhook": (),
    "feed": (),
    "mqtt": {
        "host": "",
        "port": 1883,
        "tls": False,
        "username": "",
        "password": "",
        "prefix": "callsieve",
        "discovery": True,
        "events": (),
        "mask": False,
    },
    "mail": {
        "host": "",
        "port": 587,
        "tls": "starttls",
        "username": "",
        "password": "",
        "from": "",
        "to": (),
        "language": "en",
        "events": (),
        "mask": True,
    },
    "notify": (),
    "alert": (),
    "digest": {"at": "07:00", "to": (), "language": "en"},
    "lookup": (),
    "publish": {"directory": "", "name": "", "never": (), "cleared": True},
    "exchange": (),
    "reporting": {
        "phoneblock": {
            "enabled": False,
            "token": "",
            "delay_minutes": 60,
            "url": "https://phoneblock.net/phoneblock/api",
            "private": False,
        }
    },
    "hub": {
        "address": "",
        "site": "",
        "organisation": "main",
        "follow": (),
        "accept_policies": False,
        "private": False,
        "standby": False,
        "poll_seconds": 5,
        "secret": "",
    },
}


def refusal(text: str) -> str:
    """What is said about a settings file that cannot be used."""
    with pytest.raises(SettingsError) as refused:
        parse_settings(text, "callsieve.toml")
    message = str(refused.value)
    assert message.startswith("callsieve.toml: ")
    return message.removeprefix("callsieve.toml: ")


def test_every_key_has_a_default() -> None:
    settings = parse_settings("", "callsieve.toml")
    assert settings == Settings()
    assert msgspec.to_builtins(settings) == DEFAULTS | {"reputation": msgspec.to_builtins(Weights())}


def test_every_key_can_be_set() -> None:
    settings = parse_settings(EVERYTHING, "callsieve.toml")
    tables = msgspec.to_builtins(settings)
    for name, default in DEFAULTS.items():
        assert tables[name] != default
        if isinstance(default, dict):
            assert [key for key in default if tables[name][key] == default[key]] == []


EXCHANGE = '[[exchange]]\nname = "a"\npath = "/srv/a"\n'
KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
FEED = '[[feed]]\nname = "ftc"\nurl = "https://example.com/l.csv"\n'
ECHO = FEED.replace("example.com", "phoneblock.net")
REPORT = "[reporting.phoneblock]\nenabled = true\n"


def test_receivers_get_their_configured_events() -> None:
    wanted = wanted_events_of(parse_settings(EVERYTHING, "callsieve.toml"))
    assert wanted == {
        "webhook/crm": (EventKind.APPEAL_OPENED,),
        "mqtt": (EventKind.CALL_ENDED,),
        "mail": (EventKind.APPEAL_OPENED, EventKind.DIGEST_READY),
        "notify/telegram": (EventKind.APPEAL_DUE,),
        "alert/night/telegram": (EventKind.DECISION_TAKEN,),
        "alert/night/mail": (EventKind.DECISION_TAKEN,),
    }
    everything = wanted_events_of(parse_settings(HOOK + "[mqtt]\nhost = 'b'\n", "callsieve.toml"))
    assert everything == {"webhook/crm": tuple(EventKind), "mqtt": tuple(EventKind)}
    assert wanted_events_of(parse_settings(MAIL, "callsieve.toml")) == {"mail": ()}


HOOK = '[[webhook]]\nname = "crm"\nsecret = "env:X"\nurl = "https://crm.example/"\n'
MAIL = "[mail]\nhost = 'mail.example'\nfrom = 'pbx@example.com'\n"
ALERT = "[[alert]]\nname = 'x'\nevent = 'decision.taken'\n"
TRUNK = '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"\n'
PERSON = '[[person]]\nextension = "201"\n'

ERRORS = [
    ("not-toml", "[agi", "not TOML: "),
    ("brackets", "x = " + "[" * 100_000, "not TOML: "),
    ("a-number-of-5000-digits", "x = " + "9" * 5000, "not TOML: "),
    ("table", "[agii]", "agii: unknown key (did you mean agi?)"),
    (
        "table-far-off",
        "[zzz]",
        "zzz: unknown key (allowed: actions, agi, alert, ami, api, asterisk, capabilities, company, did, ",
    ),
    ("key", "[agi]\ndeadline = 400", "agi.deadline: unknown key (did you mean deadline_ms?)"),
    ("key-far-off", "[store]\nx = 1", "store.x: unknown key (allowed: path)"),
    ("key-in-a-list", TRUNK + "own_number = []", "trunk[0].own_number: unknown key (did you mean own_numbers?)"),
    ("key-of-the-second", PERSON + PERSON + "grup = 'x'", "person[1].grup: unknown key (did you mean group?)"),
    ("required", "[[trunk]]\nname = 'x'", "trunk[0].channels: required"),
    ("required-of-a-scope", "[[scope]]\ngroup = 'x'", "scope[0].policy: required"),
    (
        "key-of-the-evidence",
        "[reputation.counts]\nhalf_live_days = 3",
        "reputation.counts.half_live_days: unknown key (did you mean half_life_days?)",
    ),
    ("a-text-of-the-display", "[display.en]\nspm = 'x'", "display.en.spm: unknown key (did you mean spam?)"),
    (
        "a-text-that-is-long",
        f"[display.zh]\nspam = '{'x' * 16}'",
        "display.zh.spam: 'xxxxxxxxxxxxxxxx': must be 1 to 15",
    ),
    ("a-text-that-is-none", "[display.en]\nscam = ' '", "display.en.scam: ' ': must be 1 to 15 characters"),
    ("a-line-that-is-short", "[display]\ncharacters = 19", "display.characters: "),
    ("hours", PERSON + "quiet_hours = '22 to 7'", 'person[0].quiet_hours: write it as "22-7", which'),
    ("table-of-the-evidence", "[reputation.count]", "reputation.count: unknown key (did you mean counts?)"),
    ("weight", "[reputation.feeds]\nspam = -1.0", "reputation.feeds.spam: "),
    ("weight-that-is-no-number", "[reputation.counts]\nhalf_life_days = nan", "reputation.counts.half_life_days: "),
    (
        "weights-that-contradict",
        "[reputation.levels]\nwarn = 6",
        "levels.challenge: must be above `levels.warn`",
    ),
    (
        "time-zone",
        "[reputation.quiet]\ntime_zone = 'Mars'",
        "reputation.quiet.time_zone: is not a time zone: write a name",
    ),
    ("type", "[agi]\nin_flight = '5'", "agi.in_flight: "),
    ("type-float", "[agi]\ndeadline_ms = 400.0", "agi.deadline_ms: "),
    ("type-of-a-switch", "[web]\nenabled = 1", "web.enabled: "),
    ("type-of-a-table", "agi = 5", "agi: "),
    ("type-in-a-list", TRUNK + "own_numbers = [1]", "trunk[0].own_numbers[0]: "),
    ("type-or-none", TRUNK + "region = 1", "trunk[0].region: "),
    ("one-table-for-a-list", "[did]\nnumber = '1'", "did: a list of tables is written as [[did]]"),
    ("deadline-after-the-dialplans", "[agi]\ndeadline_ms = 600", "agi.deadline_ms: "),
    ("deadline-too-short", "[agi]\ndeadline_ms = 9", "agi.deadline_ms: "),
    ("short-key", "[agi]\nkey = '0123'", "agi.key: must be 16 to 64 letters and digits"),
    ("nobody-in-flight", "[agi]\nin_flight = 0", "agi.in_flight: "),
    ("port", "[ami]\nport = 65536", "ami.port: "),
    ("window", "[emergency]\nwindow_minutes = 1441", "emergency.window_minutes: "),
    ("window-negative", "[emergency]\nwindow_minutes = -1", "emergency.window_minutes: "),
    (
        "name",
        TRUNK.replace('"carrier"', '"a,b"'),
        "trunk[0].name: must be at most 64 letters, digits, spaces, _ . and -",
    ),
    ("name-empty", TRUNK.replace('"carrier"', '""'), "trunk[0].name: must be at most 64 letters"),
    ("name-and-a-newline", TRUNK.replace('"carrier"', '"a\\n"'), "trunk[0].name: must be at most 64 letters"),
    ("extension", PERSON.replace("201", "2 01"), "person[0].extension: must be at most 64 letters, digits, _ . and -"),
    (
        "group",
        "[[did]]\nnumber = '1'\ngroups = ['a,b']",
        "did[0].groups[0]: must be at most 64 letters, digits, spaces, _",
    ),
    (
        "group-and-groups",
        "[[did]]\nnumber = '1'\ngroup = 'a'\ngroups = ['b']",
        "did '1'.group: cannot be used together with `groups`",
    ),
    (
        "callee",
        "[[did]]\nnumber = '1'\ncallee = '201,1'",
        "did[0].callee: must be at most 64 letters, digits, _ . and -",
    ),
    ("endpoint", PERSON + "endpoint = 'PJSIP/1&2'", "person[0].endpoint: write it as PJSIP/201"),
    ("endpoint-of-no-channel", PERSON + "endpoint = '201'", "person[0].endpoint: write it as PJSIP/201"),
    ("route", "[actions]\nroute = 'voicemail'", "actions.route: write it as context,exten,1"),
    ("route-with-a-second", "[actions]\nroute = 'a,b,1&c'", "actions.route: write it as context,exten,1"),
    ("route-too-long", f"[actions]\nroute = '{'c' * 80},s,1'", "actions.route: write it as context,exten,1"),
    ("reject", TRUNK + "reject = 'bussy'", "trunk[0].reject: unknown value 'bussy' (did you mean busy?)"),
    ("reject-far-off", TRUNK + "reject = 'x'", "unknown value 'x' (allowed: 603, 607, 608, busy, not-in-service)"),
    (
        "hours-backwards",
        "[outbound]\nfirst_hour = 21",
        "outbound.last_hour: must be later than first_hour, which is 21",
    ),
    ("hour", "[outbound]\nlast_hour = 25", "outbound.last_hour: "),
    ("limit", "[outbound]\ncalls_per_person_day = -1", "outbound.calls_per_person_day: "),
    ("at-risk", "[outbound]\nat_risk = 'refus'", "outbound.at_risk: unknown value 'refus' (did you mean refuse?)"),
    ("hours-region", "[[hours]]\nregion = 'Holland'", "hours.region: 'Holland' is not a region"),
    ("hours-span", "[[hours]]\nregion = 'NL'\nsunday = '9-17'", "hours 'NL'.sunday: '9-17' is not a span of hours"),
    ("hours-twice", "[[hours]]\nregion = 'NL'\n[[hours]]\nregion = 'nl'", "[[hours]]: 'NL' appears twice"),
    ("listen", "[agi]\nlisten = 'localhost:4578'", "agi.listen: 'localhost:4578' is not an address: write it as 127."),
    ("listen-freepbx", "[agi]\nlisten = '127.0.0.1:4573'", "port 4573 belongs to FreePBX's own FastAGI server"),
    ("listen-no-port", "[agi]\nlisten = '127.0.0.1'", "agi.listen: '127.0.0.1' is not an address"),
    ("listen-port-0", "[agi]\nlisten = '127.0.0.1:0'", "agi.listen: '127.0.0.1:0' is not an address"),
    ("listen-port-65536", "[agi]\nlisten = '127.0.0.1:65536'", "is not an address"),
    ("listen-odd-digits", "[agi]\nlisten = '127.0.0.1:٤٥٧٣'", "is not an address"),
    (
        "listen-to-all",
        "[agi]\nlisten = '0.0.0.0:4578'",
        "agi.listen: '0.0.0.0:4578' is not a loopback address: use 127",
    ),
    ("listen-to-the-network", "[agi]\nlisten = '192.0.2.7:4578'", "is not a loopback address: use 127.0.0.1"),
    ("web-listen", "[web]\nlisten = '[::]:8480'", "web.listen: '[::]:8480' is not a loopback address"),
    ("web-listen-proxied", "[web]\nlisten = 'pbx:8480'\nbehind_proxy = true", "'pbx:8480' is not an address"),
    ("web-host", "[web]\nhosts = ['https://pbx']", "web.hosts: 'https://pbx' is not a host name"),
    ("public-listen", "[public]\nlisten = '0.0.0.0:8482'", "public.listen: '0.0.0.0:8482' is not a loopback address"),
    ("public-address", "[public]\nenabled = true\nname = 'X'", "public.address: '' is not an address"),
    ("public-plain", "[public]\naddress = 'http://example.org'", "public.address: 'http://example.org' must be https"),
    ("public-path", "[public]\naddress = 'https://example.org/a'", "is not an address: write it as https"),
    ("public-port", "[public]\naddress = 'https://example.org:99999'", "is not an address: write it as https"),
    ("public-blank", "[public]\nenabled = true\naddress = 'https://a.example'\nname = ' '", "public.name: required"),
    (
        "public-no-proxy",
        "[public]\naddress = 'https://a.example'\nproxies = []",
        "public.proxies: must not be empty with https",
    ),
    ("public-any-proxy", "[public]\nproxies = ['0.0.0.0/0']", "public.proxies: '0.0.0.0/0' trusts every address"),
    ("web-any-proxy", "[web]\nproxies = ['::/0']", "web.proxies: '::/0' trusts every address"),
    ("public-name", "[public]\nenabled = true\naddress = 'https://a.example'", "public.name: required"),
    ("public-call-in", "[public]\ncall_in = '0123'", "public.call_in: '0123' is not a number"),
    ("public-call-back", "[public]\ncall_back = 'socket'", "public.call_back: must be the path of the helper's socket"),
    ("public-contact", '[public]\ncontact = "a\\nb"', "public.contact: must be one line"),
    ("web-proxy", "[web]\nproxies = ['proxy']", "web.proxies: 'proxy' is neither an address"),
    (
        "region",
        "[numbers]\nregion = 'UK'",
        "numbers.region: 'UK' is not a region: use two letters such as US, GB or CN",
    ),
    ("region-of-a-trunk", TRUNK + "region = 'England'", "trunk 'carrier'.region: 'England' is not a region"),
    (
        "own-number",
        TRUNK + "own_numbers = ['12']",
        "trunk 'carrier'.own_numbers: '12' is not a number: write it as +44",
    ),
    (
        "scope-of-none",
        "[[scope]]\npolicy = 'strict'",
        "scope with policy 'strict': needs exactly one of `did`, `trunk` and",
    ),
    (
        "scope-of-an-empty-did",
        "[[scope]]\npolicy = 'strict'\ndid = ''",
        "scope with policy 'strict': needs exactly one of `did`, `trunk` and",
    ),
    ("scope-of-half", "[[scope]]\npolicy = 'x'\ndid = ''\ngroup = 'y'", "scope with policy 'x': needs exactly one of"),
    ("scope-of-two", "[[scope]]\npolicy = 'x'\ndid = '1'\ngroup = 'y'", "scope with policy 'x': needs exactly one of"),
    (
        "webhook-plain",
        HOOK.replace("https", "http"),
        "webhook[0].url: plain http can be read and changed in transit",
    ),
    (
        "webhook-url",
        HOOK.replace("https", "ftp"),
        "webhook[0].url: is not a URL: write it like https://example.com/path",
    ),
    ("feed-plain", FEED.replace("https", "http"), "feed[0].url: plain http can be read and changed in transit"),
    ("feed-path", FEED.replace("https://example.com", "/srv"), "feed[0].url: is not a URL: write it like https://"),
    (
        "feed-file",
        FEED.replace("https://example.com", "file:///srv"),
        "feed[0].url: is not a URL: write it like https",
    ),
    ("feed-every", FEED + "every = '5m'", "feed[0].every: write it as 6h, 1d or 1w"),
    ("feed-sha256", FEED + "sha256 = 'abc'", "feed[0].sha256: must be 64 hexadecimal digits, or an address"),
    ("feed-minisign", FEED + "minisign = 'abc'", "feed[0].minisign: must be the public key: the line of minisign.p"),
    ("feed-region", FEED + "region = 'XX'", "feed[0].region: 'XX' is not a region"),
    ("report-token", REPORT, "reporting.phoneblock.token: required: write env:NAME"),
    (
        "report-echo",
        REPORT + "token = 'env:X'\n" + FEED.replace("example.com", "phoneblock.net"),
        "feed[0].url: belongs to the service that receives our reports",
    ),
    ("exchange-nowhere", '[[exchange]]\nname = "a"\n', "exchange[0].url: either `url` or `path` is required"),
    (
        "exchange-both",
        EXCHANGE + 'url = "https://example.com/"\n',
        "exchange[0].url: either `url` or `path` is required",
    ),
    ("exchange-plain", '[[exchange]]\nname = "a"\nurl = "http://example.com/"\n', "exchange[0].url: plain http"),
    ("exchange-key", EXCHANGE + 'key = "abc"\n', "exchange[0].key: must be the company's public key"),
    ("exchange-weight", EXCHANGE + "weight = 1.5\n", "exchange[0].weight: "),
    ("exchange-one-key", 2 * (EXCHANGE + f'key = "{KEY}"\n'), "exchange[1].key: is already the key of 'a'"),
    ("exchange-twice", EXCHANGE + EXCHANGE, "[[exchange]]: 'a' appears twice"),
    ("publish-never", '[publish]\nnever = ["020 7183"]\n', "publish.never: '020 7183' is not a number or prefix"),
    ("feed-twice", FEED + FEED, "[[feed]]: 'ftc' appears twice"),
    ("webhook-port", HOOK.replace("example", "example:x"), "webhook[0].url: is not a URL"),
    ("webhook-password", HOOK.replace("crm.", "a:b@crm."), "webhook[0].url: the address must not contain a user name"),
    ("webhook-secret", HOOK.replace("env:X", "abc"), "webhook[0].secret: secrets are not written into the settings"),
    ("webhook-no-secret", HOOK.replace("env:X", ""), "webhook[0].secret: required: write env:NAME, or file:/path"),
    (
        "webhook-event",
        HOOK + "events = ['call.end']",
        "webhook[0].events[0]: unknown value 'call.end' (did you mean call",
    ),
    ("mail-from", "[mail]\nhost = 'mail'", "mail.from: required"),
    ("mail-nobody", MAIL + 'events = ["appeal.due"]', "mail.to: required"),
    (
        "mail-in-clear",
        MAIL + "tls = 'none'\nusername = 'x'\npassword = 'env:X'",
        "mail.tls: `none` would send the password",
    ),
    ("mail-header", MAIL + 'to = ["a@b.example\\r\\nBcc: c@d.example"]', "mail.to[0]: write it as office@example.com"),
    ("mail-key", "[mail]\nfrm = 'x'", "mail.frm: unknown key (did you mean from?)"),
    ("mqtt-password", "[mqtt]\nhost = 'b'\nusername = 'x'", "mqtt.password: required"),
    ("mqtt-topic", "[mqtt]\nprefix = 'a/#'", "mqtt.prefix: must be letters, digits, _ and -"),
    (
        "notify-url",
        "[[notify]]\nname = 'x'\nurl = 'tgram://1/2'",
        "notify[0].url: secrets are not written into the settings",
    ),
    ("notify-name", HOOK + "[[notify]]\nname = 'crm'\nurl = 'env:X'", "notify[0].name: 'crm' is the name of another"),
    ("notify-reserved", "[[notify]]\nname = 'mail'\nurl = 'env:X'", "[[notify]]: 'mail' is reserved"),
    ("alert-to-nobody", ALERT + "to = []", "alert[0].to: required"),
    (
        "alert-to-a-stranger",
        HOOK + ALERT + "to = ['crn']",
        "alert[0].to: there is no receiver 'crn' (did you mean crm?)",
    ),
    (
        "alert-to-no-mail",
        MAIL + ALERT + "to = ['mail']",
        "mail.to: required: the addresses of alert 'x', which is sent by mail",
    ),
    (
        "alert-without-such-a-field",
        HOOK + ALERT + "to = ['crm']\nwhen = { grade = ['watch'] }",
        "alert[0].when.grade: events of the kind decision.taken have no field for this condition",
    ),
    ("alert-too-often", HOOK + ALERT + "to = ['crm']\nat_most = '0/h'", "alert[0].at_most: write it as 3/h"),
    ("digest-without-mail", "[digest]\nto = ['a@b.example']", "digest.to: needs a mail server"),
    ("digest-at", "[digest]\nat = '7'", "digest.at: write it as 07:00"),
    ("webhook-twice", HOOK + HOOK, "[[webhook]]: 'crm' appears twice"),
    ("trunk-twice", TRUNK + TRUNK, "[[trunk]]: 'carrier' appears twice"),
    ("person-twice", PERSON + PERSON, "[[person]]: '201' appears twice"),
    ("did-twice", "[[did]]\nnumber = 's'\n[[did]]\nnumber = 's'", "[[did]]: 's' appears twice"),
    (
        "did-twice-in-two-ways",
        "[[did]]\nnumber = '+12017421834'\n[[did]]\nnumber = '(201) 742-1834'",
        "[[did]]: '+12017421834' appears twice",
    ),
    ("hub-without-a-site", "[hub]\naddress = 'postgresql://hub/callsieve'", "hub.site: required with an address"),
    (
        "hub-with-a-login",
        "[hub]\nsite = 'a'\naddress = 'postgresql://me:pw@hub/x'",
        "hub.address: must not contain a user",
    ),
    ("hub-elsewhere", "[hub]\nsite = 'a'\naddress = 'mysql://hub/x'", "hub.address: write it as postgresql://"),
    ("hub-of-a-strange-name", "[hub]\nsite = 'Berlin:1'", "hub.site: must be at most 32 small letters"),
    ("hub-follows-itself", "[hub]\nsite = 'a'\nfollow = ['a']", "hub.follow: takes at most 100 names of other sites"),
]


@pytest.mark.parametrize(("text", "message"), [pytest.param(text, message, id=name) for name, text, message in ERRORS])
def test_an_error_names_the_key_and_what_is_allowed(text: str, message: str) -> None:
    """What is allowed by a plain type is said in msgspec's words: of those the key is enough."""
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# ours\n\n[agi]\nlisen = 1\n", 4),
        (TRUNK + TRUNK + "own_numbers = [1]\n", 7),
        ("[agi]\nlisten = '0.0.0.0:4578'\n", 2),
        ("[agi]\nlisten = 1 2\n", 2),
    ],
)
def test_an_error_names_the_line(text: str, line: int) -> None:
    assert f"line {line}" in refusal(text)


@given(st.text() | st.text("[]{}=\"'.\n agitrunk#0", max_size=60))
def test_any_text_is_a_settings_file_or_a_clean_error(text: str) -> None:
    try:
        parse_settings(text, "callsieve.toml")
    except SettingsError as error:
        assert str(error).startswith("callsieve.toml: ")  # noqa: PT017 (both ways are right)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4578", ("127.0.0.1", 4578)),
        ("127.0.0.53:1", ("127.0.0.53", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_listen_addresses_are_parsed(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address
    assert parse_settings(f'[agi]\nlisten = "{text}"', "callsieve.toml").agi.listen == text


# Where the file is.


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without /etc/callsieve and /var/lib/callsieve: they would be in the directory given."""
    monkeypatch.setattr(callsieve.settings, "CONFIG_FILE", tmp_path / "etc" / "callsieve.toml")
    monkeypatch.setattr(callsieve.settings, "SERVICE_STATE", tmp_path / "var")
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def named(policy: str) -> str:
    return f'[policy]\nname = "{policy}"\n'


def test_without_a_file_all_defaults_hold(nowhere: Path) -> None:
    loaded = load_settings(None, {"XDG_STATE_HOME": str(nowhere / "state")})
    assert (loaded.settings, loaded.file) == (Settings(), None)
    assert loaded.state == nowhere / "state" / "callsieve"


def test_settings_files_are_searched_in_order(nowhere: Path) -> None:
    etc = written(nowhere / "etc" / "callsieve.toml", named("etc"))
    variable = written(nowhere / "variable.toml", named("variable"))
    option = written(nowhere / "option.toml", named("option"))
    environment = {"CALLSIEVE_CONFIG": str(variable)}
    for loaded, file, policy in (
        (load_settings(option, environment), option, "option"),
        (load_settings(None, environment), variable, "variable"),
        (load_settings(None, {}), etc, "etc"),
    ):
        assert (loaded.file, loaded.settings.policy.name) == (file, policy)


def test_an_empty_variable_names_no_file(nowhere: Path) -> None:
    assert load_settings(None, {"CALLSIEVE_CONFIG": ""}).file is None


@pytest.mark.parametrize("by_option", [True, False])
def test_requested_settings_file_must_exist(nowhere: Path, by_option: bool) -> None:
    missing = nowhere / "missing.toml"
    with pytest.raises(SettingsError) as refused:
        load_settings(missing if by_option else None, {} if by_option else {"CALLSIEVE_CONFIG": str(missing)})
    assert re.fullmatch(rf"{missing}: .*: check --config and permissions", str(refused.value))


def test_unreadable_settings_file_is_an_error(nowhere: Path) -> None:
    (nowhere / "etc" / "callsieve.toml").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"callsieve\.toml: .*Is a directory"):
        load_settings(None, {})


def test_settings_file_in_a_forbidden_directory_is_an_error(nowhere: Path, request: pytest.FixtureRequest) -> None:
    etc = written(nowhere / "etc" / "callsieve.toml", "")
    etc.parent.chmod(0)
    request.getfixturevalue("as_nobody")
    with pytest.raises(SettingsError, match="Permission denied"):
        load_settings(None, {})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"# Z\xfcrich", "not UTF-8 at byte 3", id="latin-1"),
        pytest.param(b"#" * (MAX_BYTES + 1), "larger than 1048576 bytes", id="too-large"),
        pytest.param(b"[agi]\nx = 1", "line 2: agi.x: unknown key", id="an-error-names-the-file"),
    ],
)
def test_file_that_is_not_toml_is_refused(nowhere: Path, raw: bytes, message: str) -> None:
    file = nowhere / "callsieve.toml"
    file.write_bytes(raw)
    with pytest.raises(SettingsError) as refused:
        load_settings(file, {})
    assert str(refused.value).startswith(f"{file}: {message}")


def test_relative_settings_path_becomes_absolute(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(nowhere / "callsieve.toml", "")
    monkeypatch.chdir(nowhere)
    assert load_settings(Path("callsieve.toml"), {}).file == nowhere / "callsieve.toml"


@pytest.mark.parametrize(
    ("text", "environment", "secret"),
    [
        pytest.param("", {}, "", id="none"),
        pytest.param('[ami]\nsecret = "file"\nhost = "pbx"', {}, "file", id="of-the-file"),
        pytest.param(
            '[ami]\nsecret = "file"\nhost = "pbx"', {"CALLSIEVE_AMI_SECRET": "variable"}, "variable", id="variable"
        ),
        pytest.param(
            '[ami]\nsecret = "file"\nhost = "pbx"', {"CALLSIEVE_AMI_SECRET": ""}, "file", id="an-empty-variable"
        ),
    ],
)
def test_ami_secret_from_settings_or_environment(
    nowhere: Path, text: str, environment: dict[str, str], secret: str
) -> None:
    settings = load_settings(written(nowhere / "callsieve.toml", text), environment).settings
    assert settings.ami.secret == secret
    assert settings.ami.host == ("pbx" if text else "127.0.0.1")


def test_ami_secret_needs_no_settings_file(nowhere: Path) -> None:
    assert load_settings(None, {"CALLSIEVE_AMI_SECRET": "variable"}).settings.ami.secret == "variable"


# Where things are kept.


@pytest.mark.parametrize(
    ("environment", "service", "state"),
    [
        pytest.param({"CALLSIEVE_STATE": "{}/a", "STATE_DIRECTORY": "{}/b"}, True, "a", id="our-own-variable-first"),
        pytest.param({"STATE_DIRECTORY": "{}/b", "XDG_STATE_HOME": "{}/c"}, True, "b", id="then-systemds"),
        pytest.param({"STATE_DIRECTORY": "{}/b:{}/second"}, False, "b", id="the-first-of-several"),
        pytest.param({"XDG_STATE_HOME": "{}/c"}, True, "var", id="then-the-services-where-it-is-there"),
        pytest.param({"XDG_STATE_HOME": "{}/c"}, False, "c/callsieve", id="else-a-persons-own"),
        pytest.param({"HOME": "{}"}, False, ".local/state/callsieve", id="by-default-in-the-home"),
        pytest.param({"CALLSIEVE_STATE": "", "XDG_STATE_HOME": "{}/c"}, False, "c/callsieve", id="empty-is-none"),
    ],
)
def test_default_state_directory(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], service: bool, state: str
) -> None:
    if service:
        (nowhere / "var").mkdir()
    environment = {name: value.replace("{}", str(nowhere)) for name, value in environment.items()}
    monkeypatch.setenv("HOME", environment.get("HOME", "/nonexistent"))
    assert load_settings(None, environment).state == nowhere / state


def loaded_of(text: str, state: Path = Path("/state"), file: Path | None = None) -> Loaded:
    return Loaded(settings=parse_settings(text, "callsieve.toml"), file=file, state=state)


def test_relative_paths_are_below_the_state_directory() -> None:
    loaded = loaded_of("")
    assert (loaded.store_path, loaded.socket_path) == (Path("/state/callsieve.db"), Path("/state/agi.sock"))
    assert loaded_of(EVERYTHING).socket_path == Path("/run/callsieve/agi.sock")


def test_policies_of_the_console_come_first() -> None:
    assert loaded_of("").policy_directories == (Path("/state/policies"),)
    loaded = loaded_of("", file=Path("/etc/callsieve/callsieve.toml"))
    assert loaded.policy_directories == (Path("/state/policies"), Path("/etc/callsieve/policies"))


# What becomes of them.


def test_site_is_read_from_the_settings() -> None:
    assert site_of(parse_settings(EVERYTHING, "callsieve.toml")) == Site(
        region="GB",
        trunks=(
            Trunk("carrier", "PJSIP/carrier-*", "US", trusted=True, reject="busy"),
            Trunk("Second one", "SIP/second-*", "GB", verstat=True),
        ),
        route="desk,s,1",
        hears=True,
        match_withheld=True,
        ask="name",
        language="zh",
        appeal=True,
        appeal_address="https://appeals.example.org",
        hours=ScreeningHours(
            QuietHours(own={"201": msgspec.structs.replace(Weights().quiet, first_hour=21, last_hour=0)}), 3600.0
        ),
        display=Display("zh", 24, {"en": {"spam": "Junk?"}, "zh": {"verified": ""}}),
        outbound=OutboundRules(
            observe=False,
            do_not_call=False,
            resting=False,
            at_risk=Passage.HOLD,
            day=day,
            when=when_with_zone,
            hours=CallingHours(
                usual=daily(9, 20), local={"NL": (Hours(parse_spans("09:00-12:00 13:00-18:00"), (), ()),)}
            ),
            registers=False,
            needs_consent=True,
            calls_per_person_day=2,
            calls_per_number_hour=30,
            calls_per_number_day=200,
            calls_per_young_number_day=50,
        ),
    )
    local, advised = hours_by_law()
    by_law = CallingHours(local=local, advised=advised)
    rules = OutboundRules(day=day, when=when_with_zone, hours=by_law, laws=shipped_laws())
    assert site_of(Settings()) == Site(outbound=rules)


def test_people_are_read_from_the_settings() -> None:
    assert people_of(parse_settings(EVERYTHING, "callsieve.toml")) == [
        Person("201", "PJSIP/phone-201", "sales", "en", "Alice"),
        Person("202", "PJSIP/202"),
    ]


def test_own_numbers_are_read_from_the_settings() -> None:
    settings = parse_settings(EVERYTHING, "callsieve.toml")
    assert dids_of(settings) == [
        Did("+442071838750", ("sales",)),
        Did("+442071838752", callee="201"),
        Did("+442071838753", ("sales", "support")),
        Did("s", screen=False),
    ]
    assert own_numbers_of(settings) == ["+12017421834", "+442071838750", "+442071838751"]


def test_policies_and_scopes_are_read_from_the_settings(tmp_path: Path) -> None:
    policies = policies_of(loaded_of(EVERYTHING, tmp_path))
    assert policies.default.name == "balanced"
    dialled = make_call(did="+442071838750", trunk=None)
    assert policies.policy_of(dialled, make_facts()).name == "strict"
    assert policies.policy_of(make_call(did="200"), make_facts()).name == "observe"
    sales = make_facts(did=make_did(group="sales"))
    assert policies.policy_of(make_call(did="200", trunk=None), sales).name == "cautious"
    assert policies.policy_of(make_call(did="200", trunk=None), make_facts()).name == "balanced"


def test_a_console_policy_is_found_and_a_missing_one_fails(tmp_path: Path) -> None:
    loaded = loaded_of(named("house"), tmp_path)
    with pytest.raises(PolicyError, match="no policy 'house'"):
        policies_of(loaded)
    written(tmp_path / "policies" / "house.toml", 'extends = "strict"')
    assert policies_of(loaded).default.chain == ("house", "strict", "balanced", "cautious")
    with pytest.raises(PolicyError, match="no policy 'hause'"):
        policies_of(loaded_of("[[scope]]\ngroup = 'x'\npolicy = 'hause'", tmp_path))
