"""What Home Assistant is told so that it finds us by itself: one device with its entities, in one message. Pure.

MQTT discovery of whole devices, since Home Assistant 2024.11: https://www.home-assistant.io/integrations/mqtt/
"""

from __future__ import annotations

from typing import Any, Final

from callsieve.status.views import ScreeningState
from callsieve.version import program_version

DISCOVERY_PREFIX: Final = "homeassistant"
ONLINE, OFFLINE = "online", "offline"


def node_of(prefix: str) -> str:
    """What the device is known by, from the prefix of its topics: two of ours have two prefixes."""
    return prefix.replace("/", "_")


def discovery_topic(prefix: str) -> str:
    """Where the message belongs; an empty one there makes Home Assistant forget the device."""
    return f"{DISCOVERY_PREFIX}/device/{node_of(prefix)}/config"


def availability_topic(prefix: str) -> str:
    """`online`, or as our last will `offline`."""
    return f"{prefix}/availability"


def state_topic(prefix: str) -> str:
    """One JSON object with all that the entities show."""
    return f"{prefix}/state"


def discovery_message(prefix: str, console: str = "") -> dict[str, Any]:
    """The device. `console`: the address of its page, or empty."""
    node = node_of(prefix)
    entities = {
        name: {"unique_id": f"{node}_{name}", "value_template": f"{{{{ value_json.{name} }}}}", **entity}
        for name, entity in ENTITIES.items()
    }
    return {
        "device": {
            "identifiers": [node],
            "name": "CallSieve" if node == "callsieve" else f"CallSieve {node}",
            "manufacturer": "CallSieve",
            "model": "Call screening",
            "sw_version": program_version(),
            **({"configuration_url": console} if console else {}),
        },
        "origin": {"name": "CallSieve", "sw_version": program_version()},
        "availability_topic": availability_topic(prefix),
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "state_topic": state_topic(prefix),
        "qos": 1,
        "components": entities,
    }


_COUNT = {"platform": "sensor", "state_class": "total_increasing", "unit_of_measurement": "calls"}
# By their key in the state; what is none there is `unknown`.
ENTITIES: Final[dict[str, dict[str, Any]]] = {
    "screening": {
        "platform": "sensor",
        "name": "Screening",
        "device_class": "enum",
        "options": [one.value for one in ScreeningState],
        "icon": "mdi:phone-check",
    },
    "screening_text": {"platform": "sensor", "name": "Screening in words", "icon": "mdi:phone-check"},
    "trouble": {
        "platform": "binary_sensor",
        "name": "Trouble",
        "device_class": "problem",
        "value_template": "{{ 'ON' if value_json.trouble else 'OFF' }}",
    },
    "trouble_text": {
        "platform": "sensor",
        "name": "Trouble in words",
        "value_template": "{{ value_json.trouble[:255] or 'Everything works.' }}",
        "icon": "mdi:alert-circle-outline",
    },
    "calls_today": {**_COUNT, "name": "Calls today", "icon": "mdi:phone"},
    "warned_today": {**_COUNT, "name": "Calls with a warning today", "icon": "mdi:phone-alert"},
    "stopped_today": {**_COUNT, "name": "Calls stopped today", "icon": "mdi:phone-remove"},
    "last_call": {"platform": "sensor", "name": "Last call", "device_class": "timestamp"},
    "last_caller": {"platform": "sensor", "name": "Last caller", "icon": "mdi:phone-incoming"},
    "last_call_text": {
        "platform": "sensor",
        "name": "What happened to the last call",
        "value_template": "{{ (value_json.last_call_text or 'Nobody has called yet.')[:255] }}",
        "icon": "mdi:filter",
    },
}
