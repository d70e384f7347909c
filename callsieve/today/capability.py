"""The capability `today`: the first page of the console, with open tasks and recent activity."""

from callsieve.capability import Capability, Entry, Section
from reputation.wording import N_

CAPABILITY = Capability(
    name="today",
    pages=("web.pages",),
    navigation=(Entry(1, Section.TODAY, "/", N_("Today")),),
    messages={"confirmed": N_("The caller's calls until now are no longer listed as probably wrong.")},
    has_templates=True,
)
