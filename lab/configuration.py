"""All configuration files of the lab's Asterisk as text, so that no default file on disk has an effect.

Endpoints are on loopback and need no password: the trunks `carrier` (identified by the source address 127.0.0.1) and
`carrier2` (127.0.0.2), and the phones 201 to 203 (identified by user name, at 127.0.0.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ASTERISK_ADDRESS = "127.0.0.1"
TRUNK_ADDRESSES = {"carrier": "127.0.0.1", "carrier2": "127.0.0.2"}
PHONE_ADDRESS = "127.0.0.3"
PHONES = ("201", "202", "203", "204", "205", "206")
AMI_USER = "callsieve"
AMI_SECRET = "lab-only"
# Asterisk binds a port of this range only if it is free, so several Asterisks share it. It is below Linux's ephemeral
# ports, from which everything else here is taken.
RTP_PORTS = (10000, 29998)

# Modules that are not needed here: databases, hardware, other protocols and codecs. Without them Asterisk starts
# faster, more than a hundred times in a test run. It also logs no complaints about their missing files.
# app_voicemail_odbc would prevent VoiceMail from loading.
NOLOAD = (
    "app_adsiprog", "app_agent_pool", "app_alarmreceiver", "app_amd", "app_audiosocket", "app_broadcast",
    "app_celgenuserevent", "app_dictate", "app_dtmfstore", "app_externalivr", "app_festival", "app_followme",
    "app_getcpeid", "app_if", "app_jack", "app_mf", "app_minivm", "app_morsecode", "app_mp3", "app_readexten",
    "app_sf", "app_sla", "app_sms", "app_speech_utils", "app_stasis", "app_stasis_broadcast", "app_stream_echo",
    "app_test", "app_voicemail_imap", "app_voicemail_odbc", "app_waitforring", "app_waituntil",
    "cdr_adaptive_odbc", "cdr_csv", "cdr_custom", "cdr_odbc", "cdr_pgsql", "cdr_radius", "cdr_sqlite3_custom",
    "cdr_tds", "cel_custom", "cel_odbc", "cel_pgsql", "cel_radius", "cel_sqlite3_custom", "cel_tds",
    "chan_audiosocket", "chan_console", "chan_dahdi", "chan_iax2", "chan_motif", "chan_unistim",
    "chan_websocket", "codec_adpcm", "codec_amr", "codec_codec2", "codec_lpc10", "codec_opus_open_source",
    "codec_speex", "format_g719", "format_g723", "format_g726", "format_g729", "format_h263", "format_h264",
    "format_ilbc", "format_ogg_opus_open_source", "format_ogg_speex", "format_ogg_vorbis", "format_siren14",
    "format_siren7", "format_vox", "format_vp8", "func_enum", "func_frame_drop", "func_frame_trace",
    "func_holdintercept", "func_jitterbuffer", "func_odbc", "func_pitchshift", "func_scramble", "func_speex",
    "func_talkdetect", "pbx_ael", "pbx_dundi", "pbx_loopback", "pbx_lua", "pbx_realtime", "res_adsi",
    "res_aeap", "res_ael_share", "res_ari", "res_ari_applications", "res_ari_asterisk", "res_ari_bridges",
    "res_ari_channels", "res_ari_device_states", "res_ari_endpoints", "res_ari_events", "res_ari_model",
    "res_ari_playbacks", "res_ari_recordings", "res_ari_sounds", "res_audiosocket", "res_calendar",
    "res_calendar_caldav", "res_calendar_ews", "res_calendar_exchange", "res_calendar_icalendar",
    "res_cdrel_custom", "res_clialiases", "res_config_curl", "res_config_ldap", "res_config_odbc",
    "res_config_pgsql", "res_config_sqlite3", "res_fax", "res_fax_spandsp", "res_format_attr_amr",
    "res_format_attr_celt", "res_format_attr_g729", "res_format_attr_h263", "res_format_attr_h264",
    "res_format_attr_ilbc", "res_format_attr_opus", "res_format_attr_silk", "res_format_attr_siren14",
    "res_format_attr_siren7", "res_format_attr_vp8", "res_geolocation", "res_hep", "res_hep_pjsip",
    "res_hep_rtcp", "res_http_media_cache", "res_http_post", "res_odbc", "res_odbc_transaction",
    "res_phoneprov", "res_pjsip_aoc", "res_pjsip_config_wizard", "res_pjsip_dialog_info_body_generator",
    "res_pjsip_geolocation", "res_pjsip_history", "res_pjsip_messaging", "res_pjsip_notify",
    "res_pjsip_phoneprov_provider", "res_pjsip_pidf_digium_body_supplement",
    "res_pjsip_pidf_eyebeam_body_supplement", "res_pjsip_publish_asterisk", "res_pjsip_transport_websocket",
    "res_pjsip_xpidf_body_generator", "res_prometheus", "res_resolver_unbound", "res_smdi", "res_snmp",
    "res_speech_aeap", "res_stasis_broadcast", "res_stasis_test", "res_statsd", "res_stun_monitor",
    "res_tonedetect", "res_xmpp",
)  # fmt: skip

DEFAULT_EXTENSIONS = """\
[from-carrier]
exten => _[+0-9].,1,NoOp(call to ${EXTEN})
 same => n,Dial(PJSIP/201,30)
 same => n,Hangup()

[from-internal]
exten => _2XX,1,Dial(PJSIP/${EXTEN},30)
 same => n,VoiceMail(${EXTEN}@default,u)
 same => n,Hangup()
exten => _+X.,1,Dial(PJSIP/${EXTEN}@carrier,60)
 same => n,Hangup()
exten => *98,1,VoiceMailMain(${CALLERID(num)}@default,s)
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that one run of the lab uses.

    Each phone listens on 127.0.0.3, each carrier on the address of its trunk.
    """

    sip: int
    ami: int
    phones: Mapping[str, int]
    trunks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Directories:
    """The only directories to which the Asterisk of a run writes."""

    top: Path

    @property
    def etc(self) -> Path:
        return self.top / "etc"

    @property
    def data(self) -> Path:
        return self.top / "data"

    @property
    def sounds(self) -> Path:
        """The directory of English prompts. CallSieve's own prompts belong in its subdirectory `callsieve`."""
        return self.data / "sounds" / "en"

    @property
    def agi_bin(self) -> Path:
        return self.top / "agi-bin"

    @property
    def spool(self) -> Path:
        return self.top / "spool"

    @property
    def log(self) -> Path:
        return self.top / "log" / "asterisk.log"


def asterisk_conf(directories: Directories, modules: Path, *, verbose: bool) -> str:
    top = directories.top
    return f"""\
[directories]
astetcdir => {directories.etc}
astmoddir => {modules}
astvarlibdir => {top}/lib
astdbdir => {top}/db
astkeydir => {top}/lib
astdatadir => {directories.data}
astagidir => {directories.agi_bin}
astspooldir => {directories.spool}
astrundir => {top}/run
astlogdir => {top}/log
astsbindir => {top}/sbin

[options]
verbose = {5 if verbose else 0}
nocolor = yes
hideconnect = yes
dontwarn = yes
systemname = lab
"""


def extensions_conf(text: str, includes: Sequence[Path], variables: Mapping[str, str]) -> str:
    lines = ["[general]", "static = yes", "writeprotect = yes", "", "[globals]"]
    lines += [f"{name} = {value}" for name, value in variables.items()]
    lines += ["", text, *(f'#include "{path.resolve()}"' for path in includes)]
    return "\n".join(lines) + "\n"


def pjsip_conf(ports: Ports) -> str:
    sections = [_PJSIP_COMMON.format(address=ASTERISK_ADDRESS, port=ports.sip)]
    for trunk, address in TRUNK_ADDRESSES.items():
        sections.append(_PJSIP_TRUNK.format(name=trunk, address=address, port=ports.trunks[trunk]))
    for phone in PHONES:
        sections.append(_PJSIP_PHONE.format(name=phone, address=PHONE_ADDRESS, port=ports.phones[phone]))
    return "\n".join(sections)


def static_files(ports: Ports, noload: Sequence[str], data: Path, *, verbose: bool) -> dict[str, str]:
    """Return the text of each configuration file that does not depend on the dialplan, by file name."""
    mailboxes = "\n".join(f"{phone} => {phone},Phone {phone}" for phone in PHONES)
    members = "\n".join(f"member => PJSIP/{phone}" for phone in PHONES[:3])
    modules = "\n".join(f"noload = {name.removesuffix('.so')}.so" for name in (*NOLOAD, *noload))
    levels = "notice,warning,error" + (",dtmf,verbose" if verbose else "")
    return {
        "modules.conf": f"[modules]\nautoload = yes\n{modules}\n",
        "logger.conf": "[general]\ndateformat = %F %T.%3q\n\n[logfiles]\n"
        f"asterisk.log = {levels}\nconsole = {levels}\n",
        "manager.conf": _MANAGER.format(address=ASTERISK_ADDRESS, port=ports.ami, user=AMI_USER, secret=AMI_SECRET),
        "pjsip.conf": pjsip_conf(ports),
        "rtp.conf": f"[general]\nrtpstart = {RTP_PORTS[0]}\nrtpend = {RTP_PORTS[1]}\nstrictrtp = no\n",
        "cdr.conf": "[general]\nenable = yes\nunanswered = yes\ncongestion = yes\n",
        "cdr_manager.conf": "[general]\nenabled = yes\n",
        "cel.conf": "[general]\nenable = no\n",
        "http.conf": "[general]\nenabled = no\n",
        "voicemail.conf": "[general]\nformat = wav\nmaxsilence = 0\nminsecs = 1\nmaxsecs = 60\n"
        f"sendvoicemail = no\n\n[default]\n{mailboxes}\n",
        "queues.conf": f"[general]\npersistentmembers = no\n\n[sales]\nstrategy = ringall\ntimeout = 15\n{members}\n",
        "confbridge.conf": "[general]\n\n[default_user]\ntype = user\n\n[default_bridge]\ntype = bridge\n",
        "features.conf": "[general]\n\n[featuremap]\n\n[applicationmap]\n",
        "res_parking.conf": "[general]\n\n[default]\nparkext => 700\nparkpos => 701-720\ncontext => parkedcalls\n",
        "musiconhold.conf": f"[general]\n\n[default]\nmode = files\ndirectory = {data}/moh\n",
        "indications.conf": _INDICATIONS,
        "stir_shaken.conf": "[attestation]\nglobal_disable = yes\n\n[verification]\nglobal_disable = yes\n",
        "ccss.conf": "[general]\ncc_max_requests = 20\n",
        **_EMPTY_BUT_PRESENT,
    }


_PJSIP_COMMON = """\
[global]
type = global
user_agent = CallSieve lab
endpoint_identifier_order = ip,username

[system]
type = system
timer_t1 = 500

[loopback]
type = transport
protocol = udp
bind = {address}:{port}

[lab-endpoint](!)
type = endpoint
transport = loopback
disallow = all
allow = ulaw
direct_media = no
media_address = 127.0.0.1
bind_rtp_to_media_address = yes
dtmf_mode = auto
trust_id_inbound = yes
send_pai = yes
send_diversion = yes
send_connected_line = no
"""

_PJSIP_TRUNK = """\
[{name}](lab-endpoint)
context = from-carrier
aors = {name}
trust_id_outbound = yes

[{name}]
type = aor
contact = sip:{address}:{port}

[{name}]
type = identify
endpoint = {name}
match = {address}
"""

_PJSIP_PHONE = """\
[{name}](lab-endpoint)
context = from-internal
aors = {name}
identify_by = username
callerid = "Phone {name}" <{name}>

[{name}]
type = aor
contact = sip:{name}@{address}:{port}
"""

_MANAGER = """\
[general]
enabled = yes
webenabled = no
bindaddr = {address}
port = {port}
displayconnects = no

[{user}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.0/255.0.0.0
read = all
write = all
writetimeout = 1000
"""

_INDICATIONS = """\
[general]
country = us

[us]
description = United States / North America
ringcadence = 2000,4000
dial = 350+440
busy = 480+620/500,0/500
ring = 440+480/2000,0/4000
congestion = 480+620/250,0/250
callwaiting = 440/300,0/10000
dialrecall = !350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440
record = 1400/500,0/15000
info = !950/330,!1400/330,!1800/330,0
stutter = !350+440/100,!0/100,!350+440/100,!0/100,350+440
"""

# Modules that are wanted but complain in the log if their file is not there.
_EMPTY_BUT_PRESENT = dict.fromkeys(
    (
        "acl.conf",
        "geolocation.conf",
        "pjproject.conf",
        "pjsip_wizard.conf",
        "stasis.conf",
        "udptl.conf",
        "websocket_client.conf",
    ),
    "; everything as Asterisk sets it\n",
)
