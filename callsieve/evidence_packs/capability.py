"""The capability `evidence_packs`: evidence about an own number, for platforms that label numbers."""

from callsieve.capability import DATA_OUT, Capability
from reputation.wording import N_

CAPABILITY = Capability(
    name="evidence_packs",
    is_optional=True,
    commands={
        "own pack": "cli.commands:pack",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    changes={
        "own pack": DATA_OUT,
    },
    sentences={
        "own pack": N_("{who} made an evidence pack for {about}"),
    },
    has_templates=True,
)
