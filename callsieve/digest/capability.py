"""The capability `digest`: one day at a glance."""

from __future__ import annotations

from callsieve.capability import Capability, Entry, Group, Help, Section
from reputation.wording import N_

CAPABILITY = Capability(
    name="digest",
    is_optional=True,
    help=(Help("digest", Group.EVERY_DAY, "Show one day: likely mistakes, and what needs attention."),),
    commands={
        "digest": "cli.commands:digest",
    },
    pages=("web.pages",),
    navigation=(Entry(2, Section.TODAY, "/digest", N_("Digest")),),
    has_templates=True,
    scheduled="operations:SCHEDULED",
)
