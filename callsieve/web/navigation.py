"""The navigation, in its order, and what is said after something was done. A new part adds its lines here."""

from __future__ import annotations

from dataclasses import dataclass

from callsieve.web.words import N_
from reputation.users import Role

# What is said after something was done, by the word in `?said=`: so that nobody can make the console say anything else.
Messages = dict[str, str]


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """An entry of the navigation. `label` is English; the catalogues translate it."""

    path: str
    label: str
    role: Role = Role.VIEWER


PLACES: tuple[NavigationItem, ...] = (
    NavigationItem("/", N_("Overview")),
    NavigationItem("/digest", N_("Digest")),
    NavigationItem("/calls", N_("Calls")),
    NavigationItem("/numbers", N_("Numbers"), Role.OPERATOR),
    NavigationItem("/policies", N_("Policies")),
    NavigationItem("/lists", N_("Lists")),
    NavigationItem("/identities", N_("Identities")),
    NavigationItem("/own", N_("Own numbers"), Role.OPERATOR),
    NavigationItem("/appeals", N_("Appeals")),
    NavigationItem("/feeds", N_("Feeds")),
    NavigationItem("/plans", N_("Ranges")),
    NavigationItem("/people", N_("People")),
    NavigationItem("/users", N_("Users"), Role.ADMINISTRATOR),
    NavigationItem("/events", N_("Events"), Role.ADMINISTRATOR),
    NavigationItem("/audit", N_("Audit"), Role.ADMINISTRATOR),
)

MESSAGES: Messages = {
    "logged-out": N_("You are logged out."),
    "password": N_("Your password is changed; other browsers are logged out."),
    "second-factor-on": N_("The second factor is in force; other browsers are logged out."),
    "second-factor-off": N_("The second factor is off; other browsers are logged out."),
    "others-out": N_("All other browsers are logged out."),
    "on-allowlist": N_("The number is on the allowlist; its next call goes through."),
    "on-blocklist": N_("The number is on the blocklist; its next call is rejected."),
    "off-list": N_("The number is off the list."),
    "marked-spam": N_("The number is marked as spam, and blocked for your person."),
    "marked-ok": N_("The number is marked as not spam."),
    "unmarked": N_("The mark is taken back."),
    "unreviewed": N_("The marks of a burst weigh nothing again."),
    "same-owner": N_("The number has the owner that it had."),
    "appealed": N_("The appeal is filed. It has no effect until control of the number is proven, or it is accepted."),
    "reviewed": N_("The marks count from now on."),
    "new-owner": N_("What is known from before the new owner weighs less from now on."),
    "policy-activated": N_("The policy is in force within two seconds."),
    "policy-accepted": N_("The policy is accepted. It is in force where something names it."),
    "policy-told": N_("Other sites are told the policy. It is in force nowhere before they accept it."),
    "policy-withdrawn": N_("Other sites are told the policy no more. What they have accepted stays."),
    "listed": N_("The entry is on the list, and counts at the next call."),
    "unlisted": N_("The entry is off the list."),
    "window-closed": N_("The emergency window is closed: calls are screened again."),
    "undone": N_("It is undone."),
    "identified": N_("It is recorded whose number it is."),
    "unidentified": N_("It is forgotten whose number it was."),
    "appeal-accepted": N_(
        "The appeal is in force: no rule rejects calls of the number until it is decided. Lists act as written."
    ),
    "appeal-proven": N_("Control of the number is proven; the appeal is in force."),
    "appeal-withdrawn": N_("The appeal is withdrawn."),
    "appeal-upheld": N_("The appeal is upheld: the spam marks of until now count as never made. Now tell its owner."),
    "appeal-cleared": N_("It was removed: the page says what calls of the number meet now."),
    "appeal-denied": N_("The appeal is denied. Now tell its owner."),
    "evidence-added": N_("The evidence is attached."),
    "evidence-gone": N_("The evidence is removed."),
    "user-added": N_("The user may log in from now on."),
    "user-role": N_("The role is changed; the user has to log in again."),
    "user-password": N_("The password is changed; all sessions of the user are over."),
    "user-second-factor": N_("The user logs in by the password alone; all their sessions are over."),
    "user-gone": N_("The user may not use the console any more."),
    "own-added": N_("The number is registered: it is one of our own for everything else too."),
    "own-changed": N_("What is registered of the number is changed."),
    "own-checked": N_("The number was looked at today, and what is registered holds."),
    "own-rests": N_("The number rests for 45 days."),
    "own-used": N_("The number is in use again."),
    "own-retired": N_("The number is retired: it is not one of ours any more, and its history stays."),
    "own-watched": N_("It is recorded what the platform shows."),
    "own-removed": N_("The number is not registered any more."),
    "do-not-call": N_(
        "The number is on the do-not-call list; where the outbound guard acts, it refuses the next call."
    ),
    "may-call": N_("The number is off the do-not-call list: it may be called again."),
    "consent-noted": N_("The consent is noted: the outbound guard lets calls to the number pass."),
    "consent-gone": N_("The consent is noted no more."),
    "complaint-counts": N_("The complaint is recorded, and counts: its sender was called within 28 days."),
    "complaint-noted": N_(
        "The complaint is recorded, and does not count: nobody knows that its sender was called within 28 days."
    ),
    "complaint-of-nobody": N_("The complaint is recorded, and does not count: nobody says who complains."),
    "complaint-gone": N_("The complaint is taken back."),
    "site-ignored": N_("Nothing counts here that the site tells."),
    "site-heeded": N_("The site counts again."),
    "people-same": N_("They are one human, who counts once."),
    "people-apart": N_("The name is somebody else's."),
    "company-added": N_("The company's evidence is taken from the next fetch on."),
    "company-removed": N_("The company's evidence counts no longer."),
    "company-paused": N_("The company is paused: nothing that it says counts."),
    "company-heeded": N_("The company counts again, and is measured anew."),
    "events-replayed": N_("What was given up is delivered again."),
    "no-dead-letter": N_("There is no dead letter any more."),
    "import-gone": N_("The import is removed with all that it brought. The same file brings it back."),
    "draft-gone": N_("The draft is gone. What is in force has not changed."),
}
