"""The hub, its sites and their evidence, as the terminal and JSON show them. Functions without I/O."""

from dataclasses import dataclass
from typing import Annotated

from callsieve.hub.operations import LinkShown
from callsieve.text.times import when
from reputation.encoding import FLAT, encoded
from reputation.store.hub.sites import PolicyInForce, SiteState
from reputation.store.other_sites import SiteFigures

# A process reports to the hub every 10 s.
UP_SECONDS = 30.0
TWIN_SECONDS = 60.0  # each of the two reports every 10 s


def is_up(site: SiteState) -> bool:
    """Return whether the site's hub process has reported in the last UP_SECONDS."""
    return site.expelled_at is None and site.seen_at is not None and site.now - site.seen_at < UP_SECONDS


def state_of(site: SiteState) -> str:
    """Return the site's state in words: `up`, `down`, `expelled` or `never seen`."""
    if site.expelled_at is not None:
        return "expelled"
    return "up" if is_up(site) else "down" if site.seen_at is not None else "never seen"


def lag_of(site: SiteState) -> float | None:
    """Return how many seconds ago the site last had all rows of other sites; None if never."""
    return None if site.pulled_at is None else max(0.0, site.now - site.pulled_at)


def remarks_on(site: SiteState) -> list[str]:
    """Return the problems of a site that an administrator should solve."""
    remarks = []
    if site.twin_at is not None and site.now - site.twin_at < TWIN_SECONDS:
        remarks.append(
            "two PBXs take part under this name: give one of them another `site` in [hub], or set "
            "`standby = true` in [hub] of the standby"
        )
    if 0 < site.most_rows <= site.rows_kept:
        remarks.append(
            f"the hub keeps at most {site.most_rows:,} rows of this site; to raise the limit: callsieve "
            f"hub quota {site.name} ROWS"
        )
    if site.offset_seconds:
        remarks.append(f"the site's clock differs from the hub's by {site.offset_seconds:+,.0f} s")
    return remarks


@dataclass(frozen=True, slots=True)
class HubSite:
    """A site as the hub describes it. `shared`: counts of the site's evidence in this store; null without evidence."""

    site: Annotated[SiteState, FLAT]
    shared: SiteFigures | None = None

    @property
    @encoded
    def state(self) -> str:
        """The site's state: `up`, `down`, `expelled` or `never seen`."""
        return state_of(self.site)

    @property
    @encoded
    def lag_seconds(self) -> float | None:
        """How many seconds ago the site last had all rows of other sites; null if never."""
        return lag_of(self.site)


@dataclass(frozen=True, slots=True)
class HubOverview:
    """The exchange of this site with the hub, and the hub's information about all sites.

    `policy`, `policy_of_first`: the active policy of this PBX, and of the main PBX; null if this PBX is not a standby.
    `reachable`: whether the hub answered. `hub_sites`: the sites of the hub; empty if it did not answer.
    """

    shown: Annotated[LinkShown, FLAT]
    policy: PolicyInForce | None
    policy_of_first: PolicyInForce | None
    reachable: bool
    hub_sites: tuple[HubSite, ...]


def remarks_on_evidence(figures: SiteFigures) -> str:
    """Return remarks about another site: whether it is ignored, and how often people here disagree with its marks."""
    remarks = []
    if figures.ignored is not None:
        remarks.append(f"ignored since {when(figures.ignored.at)}: {figures.ignored.reason}")
    if figures.settled.disagree:
        remarks.append(
            f"people here disagree with {figures.settled.disagree:,} of the site's marks, so its marks count less"
        )
    return "; ".join(remarks)
