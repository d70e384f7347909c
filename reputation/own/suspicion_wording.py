"""A suspicion in words, and who shows labels there. Pure."""

from __future__ import annotations

from reputation.own.figures import percent
from reputation.own.labellers import Labeller
from reputation.own.suspicion import BEFORE_DAYS, LATELY_DAYS, Network, Suspicion
from reputation.wording import Places, Wording


def place_of(network: Network) -> str | Wording:
    """`GB`, or `EE (GB)`."""
    if not network.name:
        return network.country
    return Wording("{network} ({country})", {"network": network.name, "country": network.country})


def suspicion_words(one: Suspicion) -> Wording:
    """Where, the share now, the share before, and the confidence."""
    about: Places = {
        "where": place_of(one.network),
        "days": LATELY_DAYS,
        "lately": percent(one.lately),
        "days_before": BEFORE_DAYS,
        "before": percent(one.before),
        "confidence": confidence_text(one.confidence),
    }
    if one.by == "blocked":
        return Wording(
            "{where}: of calls in the last {days} days networks refused {lately}, of those in the {days_before} days "
            "before {before} (confidence {confidence})",
            about,
        )
    return Wording(
        "{where}: of calls in the last {days} days {lately} were answered, of those in the {days_before} days before "
        "{before} (confidence {confidence})",
        about,
    )


def confidence_text(confidence: float) -> str:
    """`99.6%`; never 100."""
    return f"{min(confidence, 0.9999):.2%}"


def labeller_words(one: Labeller) -> Wording:
    """Where the platform shows its labels."""
    if one.on == "network":
        return Wording("{platform}: on the network {network}", {"platform": one.platform, "network": one.networks[0]})
    if one.phones:
        return Wording("{platform}: on phones of {maker}", {"platform": one.platform, "maker": one.phones})
    return Wording("{platform}: on phones, of every network", {"platform": one.platform})
