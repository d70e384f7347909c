"""`callsieve doctor`: is everything as it must be for calls to be screened? Start here.

Each check is a small function from what is on the ground to one finding; none changes anything, and each is bounded:
Asterisk's console answers in 5 s or is asked no more, sockets and the store have 2 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

from callsieve.doctor import (
    api,
    asterisk,
    call_back,
    callees,
    challenge_recording,
    control_socket,
    dialplan,
    events,
    hub,
    look_ups,
    manager,
    outbound,
    pending,
    phone_labels,
    prompts,
    public_page,
    routes,
    screening,
    secrets,
    service,
    voicemail,
)
from callsieve.doctor.finding import NO_SETTINGS, NOT_ASKED, Check, CheckContext, Finding, unknown
from callsieve.pbx.cli_client import ConsoleError
from callsieve.settings import SettingsError
from callsieve.system.privileges import as_root
from reputation.wording import Wording

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
CHECKS: tuple[tuple[str, Callable[[CheckContext], Finding]], ...] = (
    ("Asterisk", asterisk.is_reachable),
    ("advisories", asterisk.is_safe),
    ("control socket", control_socket.is_closed),
    ("modules", asterisk.has_modules),
    ("reject codes", asterisk.can_reject),
    ("off switch", asterisk.is_on),
    ("dialplan", dialplan.is_loaded),
    ("trunks", routes.are_screened),
    ("DIDs", routes.are_known),
    ("asks at", dialplan.asks_us),
    ("phones", phone_labels.are_labelled),
    ("emergency calls", dialplan.hears_of_emergencies),
    ("emergency window", pending.screens_now),
    ("outbound guard", outbound.guards_calls),
    ("feature codes", dialplan.has_free_codes),
    ("prompts", prompts.are_built),
    ("recordings", challenge_recording.can_record),
    ("daemon", service.daemon_answers),
    ("classic socket", service.socket_answers),
    ("local users", service.is_asked_by_asterisk),
    ("manager user", manager.has_user),
    ("manager login", manager.can_log_in),
    ("settings", service.settings_are_private),
    ("secrets", secrets.are_readable_by_us_alone),
    ("policy", service.policy_loads),
    ("stopped calls", voicemail.takes_stopped_calls),
    ("first days", screening.may_act),
    ("store", service.store_opens),
    ("screened calls", screening.are_decided),
    ("callers", screening.can_read_callers),
    ("carrier's word", screening.hears_carriers),
    ("backup", service.has_backup),
    ("feeds", service.has_fresh_feeds),
    ("exchange", service.has_fresh_exchange),
    ("hub", hub.is_exchanged),
    ("events", events.are_delivered),
    ("look-ups", look_ups.are_made),
    ("calls back", call_back.are_placed),
    ("housekeeping", pending.keeps_house),
    ("public page", public_page.is_served),
    ("public address", public_page.is_reached),
    ("appeals", pending.has_no_appeal_overdue),
    ("reviews", pending.has_no_marks_to_review),
    ("call registers", pending.has_fresh_registers),
    ("mark watch", pending.watches_our_numbers),
    ("reports", pending.reports_what_is_marked),
    ("identities", pending.has_no_identity_due),
    ("API", api.is_served),
    ("API tokens", api.has_tokens),
    ("people", service.knows_us),
    ("callees", callees.are_people),
    ("who rings", callees.are_rung),
)


def examine(ground: CheckContext, *only: str) -> Iterator[Check]:
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
