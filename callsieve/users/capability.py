"""The capability `users`: the users of the console."""

from callsieve.capability import Capability, Entry, Group, Help, Section, Undo
from reputation.users import Role
from reputation.wording import N_, Wording

_SECRET = Wording("The previous password or second factor was not kept.")
CAPABILITY = Capability(
    name="users",
    help=(Help("user", Group.SETTING_UP, "Manage the users of the web console."),),
    commands={
        "user add": "cli.commands:add",
        "user list": "cli.commands:show",
        "user password": "cli.commands:password",
        "user role": "cli.commands:role",
        "user reset-totp": "cli.commands:reset_totp",
        "user remove": "cli.commands:remove",
    },
    endpoints=("api",),
    pages=(
        "web.login",
        "web.account",
        "web.pages",
    ),
    navigation=(Entry(13, Section.SETTINGS, "/users", N_("Users"), Role.ADMINISTRATOR),),
    changes={
        "user add": Undo(by="callsieve.users.operations:ADDED", role=Role.ADMINISTRATOR),
        "user role": Undo(by="callsieve.users.operations:ROLE", role=Role.ADMINISTRATOR),
        "user password": _SECRET,
        "user reset-totp": _SECRET,
        "user totp": _SECRET,
        "user remove": Wording("Add the user again: callsieve user add NAME."),
        "login": Wording("A login changes nothing."),
        "log out": Wording("Ended sessions cannot be restored."),
    },
    sentences={
        "user add": N_("{who} added the user {about}"),
        "user role": N_("{who} changed the role of {about}"),
        "user password": N_("{who} set the password of {about}"),
        "user reset-totp": N_("{who} turned the second factor of {about} off"),
        "user totp": N_("{who} changed the second factor of {about}"),
        "user remove": N_("{who} removed the user {about}"),
        "login": N_("{who} logged in from {about}"),
        "log out": N_("{who} ended the other sessions of {about}"),
    },
    messages={
        "logged-out": N_("You are logged out."),
        "password": N_("Your password is changed; other browsers are logged out."),
        "second-factor-on": N_("The second factor is on; other browsers are logged out."),
        "second-factor-off": N_("The second factor is off; other browsers are logged out."),
        "others-out": N_("All other browsers are logged out."),
        "user-added": N_("The user may log in from now on."),
        "user-role": N_("The role is changed; the user has to log in again."),
        "user-password": N_("The password is changed; all sessions of the user have ended."),
        "user-second-factor": N_("The user now logs in with the password alone; all their sessions have ended."),
        "user-gone": N_("The user can no longer use the console."),
    },
    has_templates=True,
)
