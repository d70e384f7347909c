"""People of other sites. A row of another site names whoever it is about with the site in front: `berlin:201`.

    site_of("berlin:201") == "berlin"; site_of("201") == site_of("PJSIP/201") == ""       ours have no site
    of_site("berlin", "201") == "berlin:201"

The same is true of the calls (`linkedid`) and cases that such a row names, so that no site can speak of ours.
"""

from __future__ import annotations

import re

OURS = ""
SITE = re.compile(r"[a-z0-9-]{1,32}")


def site_of(name: str) -> str:
    """The site that a person, DID, queue, call or case of a row belongs to; OURS: this one."""
    if ":" not in name:
        return OURS
    site = name.partition(":")[0]
    return site if SITE.fullmatch(site) else OURS


def of_site(site: str, name: str) -> str:
    """The name as rows of another site have it; what has no name stays without one. ValueError: that is no site."""
    if not SITE.fullmatch(site):
        raise ValueError(f"{site[:40]!r} is no name of a site: lower-case letters, digits and -, at most 32")
    return f"{site}:{name}" if name else name


def name_at_site(name: str) -> str:
    """The name as its own site has it: `201` of `berlin:201`."""
    return name.partition(":")[2] if site_of(name) else name


def our_name(name: str) -> str:
    """A name of this site that would look like another's: a queue called `sales:uk` is kept as `sales.uk`."""
    return name.replace(":", ".", 1) if site_of(name) else name


def is_ours(column: str) -> str:
    """The SQL condition under which `site_of` a column is OURS. Of other SQL only names of columns may be given."""
    site = f"substr({column}, 1, instr({column}, ':') - 1)"
    return f"(length({site}) NOT BETWEEN 1 AND 32 OR {site} GLOB '*[^a-z0-9-]*')"
