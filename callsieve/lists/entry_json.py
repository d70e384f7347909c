"""List entries as JSON for scripts."""

from __future__ import annotations

from typing import Any

from reputation.model import ListEntry


def is_over(entry: ListEntry, now: float) -> bool:
    """Whether the entry has expired; housekeeping removes it within the day."""
    return entry.expires_at is not None and entry.expires_at <= now


def entry_as_json(entry: ListEntry, now: float) -> dict[str, Any]:
    """An entry of the administrator's lists."""
    return {
        "list": entry.list_name,
        "entry": entry.text,
        "kind": entry.kind,
        "action": entry.action or ("allow" if entry.list_name == "allow" else "reject"),
        "note": entry.note,
        "added_at": entry.added_at,
        "expires_at": entry.expires_at,
        "expired": is_over(entry, now),
    }
