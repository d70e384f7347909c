"""`callsieve doctor`: is everything as it must be for calls to be screened? Start here.

Each check is a small function from what is on the ground to one finding; none changes anything, and each is bounded:
Asterisk's console answers in 5 s or is asked no more, sockets and the store have 2 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

from callsieve.doctor import asterisk as doctor_asterisk
from callsieve.doctor import challenge_recording as doctor_callers
from callsieve.doctor import control_socket as doctor_socket
from callsieve.doctor import dialplan as doctor_dialplan
from callsieve.doctor import manager as doctor_manager
from callsieve.doctor import outbound as doctor_outbound
from callsieve.doctor import pending as doctor_duties
from callsieve.doctor import prompts as doctor_prompts
from callsieve.doctor import routes as doctor_routes
from callsieve.doctor import screening as doctor_screening
from callsieve.doctor import service as doctor_ourselves
from callsieve.doctor import voicemail as doctor_voicemail
from callsieve.doctor.finding import NO_SETTINGS, NOT_ASKED, Check, Finding, Ground, Status, unknown
from callsieve.pbx.cli_client import ConsoleError
from callsieve.settings import SettingsError
from callsieve.system.privileges import as_root
from reputation.wording import Wording

__all__ = ["CHECKS", "Check", "Ground", "Status", "examine"]

# What looks at Asterisk and the machine only, and may have to be root for that. All else may look into the state
# directory, and so has the rights of its owner.
OF_THE_MACHINE = frozenset(
    {
        "Asterisk",
        "advisories",
        "control socket",
        "modules",
        "reject codes",
        "off switch",
        "dialplan",
        "trunks",
        "asks at",
        "phones",
        "emergency calls",
        "outbound guard",
        "feature codes",
        "daemon",
        "manager user",
        "manager login",
        "settings",
    }
)
# In the order in which a call meets them: Asterisk, its dialplan, the daemon, what the daemon knows.
CHECKS: tuple[tuple[str, Callable[[Ground], Finding]], ...] = (
    ("Asterisk", doctor_asterisk.is_reachable),
    ("advisories", doctor_asterisk.is_safe),
    ("control socket", doctor_socket.is_closed),
    ("modules", doctor_asterisk.has_modules),
    ("reject codes", doctor_asterisk.can_reject),
    ("off switch", doctor_asterisk.is_on),
    ("dialplan", doctor_dialplan.is_loaded),
    ("trunks", doctor_routes.are_screened),
    ("DIDs", doctor_routes.are_known),
    ("asks at", doctor_dialplan.asks_us),
    ("phones", doctor_dialplan.reaches_phones),
    ("emergency calls", doctor_dialplan.hears_of_emergencies),
    ("emergency window", doctor_duties.screens_now),
    ("outbound guard", doctor_outbound.guards_calls),
    ("feature codes", doctor_dialplan.has_free_codes),
    ("prompts", doctor_prompts.are_built),
    ("recordings", doctor_callers.can_record),
    ("daemon", doctor_ourselves.daemon_answers),
    ("classic socket", doctor_ourselves.socket_answers),
    ("local users", doctor_ourselves.is_asked_by_asterisk),
    ("manager user", doctor_manager.has_user),
    ("manager login", doctor_manager.can_log_in),
    ("settings", doctor_ourselves.settings_are_private),
    ("policy", doctor_ourselves.policy_loads),
    ("stopped calls", doctor_voicemail.takes_stopped_calls),
    ("first days", doctor_screening.may_act),
    ("store", doctor_ourselves.store_opens),
    ("screened calls", doctor_screening.are_decided),
    ("backup", doctor_ourselves.has_backup),
    ("feeds", doctor_ourselves.has_fresh_feeds),
    ("housekeeping", doctor_duties.keeps_house),
    ("appeals", doctor_duties.has_no_appeal_overdue),
    ("reviews", doctor_duties.has_no_marks_to_review),
    ("identities", doctor_duties.has_no_identity_due),
    ("people", doctor_ourselves.knows_us),
)


def examine(ground: Ground, *only: str) -> Iterator[Check]:
    """All checks, one after the other; or those of these names."""
    for name, check in CHECKS:
        if only and name not in only:
            continue
        try:
            with as_root() if name in OF_THE_MACHINE else nullcontext():
                found = check(ground)
        except ConsoleError:
            found = unknown(NOT_ASKED)
        except SettingsError:
            found = unknown(NO_SETTINGS)
        except PermissionError as error:
            found = unknown(
                Wording("{file}: this user may not look", {"file": str(error.filename)}), Wording("run this as root")
            )
        except OSError as error:
            found = unknown(f"{error.filename or 'a file'}: {error.strerror}")
        yield Check(name, found.status, found.detail, found.way_out, ground.now)
