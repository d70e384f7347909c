"""What can be changed: the name of every change, which is the command that makes it, and the way back if there is none.

How the others are undone is in callsieve/changes/kinds.py. A new change belongs in one of these tables.
"""

from __future__ import annotations

from reputation.wording import Wording

LISTS = ("list add", "list remove", "list import")
IDENTITIES = ("identity add", "identity remove")
REGISTER = ("own add", "own check", "own rest", "own use", "own retire", "own remove", "own import")
WISHES = ("own dnc add", "own dnc remove")
CONSENTS = ("own consent add", "own consent remove", "own consent import")
LOOKS = ("own watch add",)
COMPLAINTS = ("own complaint",)
MARKS = ("mark", "unmark")
REVIEWS = ("review done", "review undo")
CORRECTIONS = ("review wrong",)
OWNERS = ("reassigned add", "reassigned remove")
PEOPLE = ("import people", "import dids", "import remove")
ACTIVATION = ("policy activate",)
PUBLISHED = ("policy publish", "policy withdraw")
ACCEPTED = ("policy accept",)
USERS = ("user add", "user role")
TOKENS = ("token add",)
APPEALS = ("appeal accept", "appeal decide", "appeal withdraw")
CLEARED = ("appeal clear",)
PLANS = ("plan update", "plan remove")
LOOKUPS = ("lookups enable", "lookups disable")
EXCHANGE = ("exchange enable", "exchange disable")
SUBSCRIPTIONS = ("exchange add", "exchange remove")
WINDOW = ("emergency open", "emergency close")
SITE_PEOPLE = ("hub people same", "hub people apart")
SITES = ("hub ignore", "hub heed")
EXPECTED = ("expecting", "not-expecting")
UNDOABLE = (
    *LISTS,
    *IDENTITIES,
    *REGISTER,
    *WISHES,
    *CONSENTS,
    *COMPLAINTS,
    *LOOKS,
    *MARKS,
    *REVIEWS,
    *CORRECTIONS,
    *OWNERS,
    *PEOPLE,
    *ACTIVATION,
    *PUBLISHED,
    *ACCEPTED,
    *USERS,
    *TOKENS,
    *APPEALS,
    *CLEARED,
    *WINDOW,
    *PLANS,
    *LOOKUPS,
    *EXCHANGE,
    *SUBSCRIPTIONS,
    *SITE_PEOPLE,
    *SITES,
    *EXPECTED,
)

# Changes of many things at once: a row for each, and a last one that sums them up. Of the imports of numbers and
# contacts there is that one alone: what they brought or replaced is not kept.
IMPORTS = ("list import", "own import", "own consent import", *PEOPLE)
# What is changed in the same step, about the same number: undone with it.
WITH = {"appeal decide": LISTS, "appeal clear": LISTS}
# Nobody does by undoing what they may not do.
ADMINISTRATORS_ONLY = (
    *IMPORTS,
    *OWNERS,
    *ACTIVATION,
    *PUBLISHED,
    *ACCEPTED,
    *USERS,
    *TOKENS,
    *PLANS,
    *LOOKUPS,
    *EXCHANGE,
    *SUBSCRIPTIONS,
    *SITE_PEOPLE,
    *SITES,
)

NOTHING = Wording("It took data out and changed nothing.")
NOT_KEPT = Wording("What was there before is not kept.")
SECRET = Wording("What was there before is a secret, which is not kept.")
SENT = Wording("The code was sent.")
PROOF = Wording("A proof stays; the appeal is decided, or ended: callsieve appeal withdraw REFERENCE.")
AGAIN = Wording("Make the change again.")
BY_PHONE = Wording("Dial the code again on that phone.")
# What `callsieve undo` answers.
FINAL = {
    "appeal open": Wording("An appeal that was filed is ended: callsieve appeal withdraw REFERENCE."),
    "appeal code": SENT,
    "appeal prove": PROOF,
    "appeal evidence": Wording("Evidence stays with its appeal."),
    "appeal evidence download": NOTHING,
    "appeal undo": AGAIN,  # of an older version
    "calls export": NOTHING,
    "db backup": NOTHING,
    "db check accept": Wording("A backup has the lists as they were: callsieve db restore."),
    "did export": NOTHING,
    "emergency call": Wording("End the window: callsieve emergency close."),
    **dict.fromkeys(("whispers-off", "whispers-on", "quiet-on", "quiet-off"), BY_PHONE),
    "events replay": Wording("What was delivered again cannot be taken back."),
    "events test": Wording("A receiver that was switched on again stays so, until it wants no events any more."),
    "exchange fetch": NOT_KEPT,
    "exchange key": Wording("Another key is taken with the company: callsieve exchange add NAME URL --key KEY."),
    "exchange publish": Wording("What was published may have been read; a number is kept back by [publish] never."),
    "housekeeping run": Wording("What was past its time is gone; a backup may have it."),
    "hub erasure": Wording("What sites share about a number goes everywhere; a backup from before may have it."),
    "hub expel": Wording("A site takes part again once it has joined: callsieve hub join."),
    "hub join": Wording("A site takes part no more: callsieve hub leave."),
    "hub keep": Wording("It can still be erased: callsieve privacy erase NUMBER."),
    "hub leave": Wording("A site takes part again once it has joined: callsieve hub join."),
    "hub quota": Wording("Set another: callsieve hub quota."),
    "identity code": SENT,
    "identity prove": Wording("A proof stays; a wrong identity is removed: callsieve identity remove NUMBER."),
    "import calls": NOT_KEPT,
    "import contacts": NOT_KEPT,
    "import feed": NOT_KEPT,
    "import numbers": NOT_KEPT,
    "list export": NOTHING,
    "log out": Wording("The sessions are over."),
    "login": Wording("It changed nothing."),
    "off": Wording("Switch screening on again: callsieve on."),
    "on": Wording("Switch screening off again: callsieve off."),
    "own export": NOTHING,
    "own pack": NOTHING,
    "own hygiene": NOTHING,
    "own watch ask": Wording("What was said on that day stays; the next time says what is said then."),
    **dict.fromkeys(
        ("own registers import", "own registers remove"),
        Wording("A file brings the copy of a register back: callsieve own registers import FILE."),
    ),
    "people export": NOTHING,
    "privacy erase": Wording("What was erased is gone; a backup from before may have it."),
    "privacy export": NOTHING,
    "signing rotate": Wording("The key before it is gone; make another one: callsieve signing rotate."),
    "token revoke": Wording("A token is given once: make another one, callsieve token add NAME."),
    "user password": SECRET,
    "user remove": Wording("A removed user is added again: callsieve user add NAME."),
    "user reset-totp": SECRET,
    "user totp": SECRET,
}
CHANGES = frozenset((*UNDOABLE, *FINAL))
