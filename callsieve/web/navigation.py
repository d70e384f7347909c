"""The navigation, in its order, and what is said after something was done. A new part adds its lines here."""

from __future__ import annotations

from callsieve.web.table import Place, Saids
from callsieve.web.words import N_

PLACES: tuple[Place, ...] = (
    Place("/", N_("Overview")),
    Place("/policies", N_("Policies")),
    Place("/account", N_("My account")),
)

SAIDS: Saids = {
    "logged-out": N_("You are logged out."),
    "password": N_("Your password is changed; other browsers are logged out."),
    "others-out": N_("All other browsers are logged out."),
    "policy-activated": N_("The policy is in force within two seconds."),
    "draft-gone": N_("The draft is gone. What is in force has not changed."),
}
