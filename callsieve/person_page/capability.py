"""The capability `person_page`: the page `/me`, where people see and change their own calls, lists and settings."""

from callsieve.capability import Capability, Group, Help, Undo
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="person_page",
    help=(Help("people", Group.NUMBERS, "Manage the pages of people, and the settings of their phones."),),
    commands={
        "people link": "cli.commands:link",
        "people devices": "cli.commands:devices",
        "people settings": "cli.commands:settings",
        "people sign-out": "cli.commands:sign_out",
    },
    endpoints=("api.endpoints",),
    pages=("web.administration", "web.sign_in", "web.pages"),
    changes={
        "this was wrong": Undo(along=("list add", "mark")),
        "people link": Wording("The link stops working when it is used, or after 24 hours."),
        "people end-links": Wording("Make another link: callsieve people link EXTENSION."),
        "passcode": Wording("The passcode stops working when it is used, or after five minutes."),
        "sign in": Wording("Sign the device out: callsieve people sign-out EXTENSION."),
        "people sign-out": Wording("Make another link: callsieve people link EXTENSION."),
    },
    sentences={
        "this was wrong": N_("{who} said that a call of {about} was treated wrongly"),
        "people link": N_("{who} made a link to the personal page of {about}"),
        "people end-links": N_("{who} ended links to the personal page of {about}"),
        "passcode": N_("{who} asked for a passcode for a personal page"),
        "sign in": N_("{who} signed in a device to a personal page"),
        "people sign-out": N_("{who} signed devices of {about} out of the personal page"),
    },
    messages={
        "me-wrong": N_("From now on this number always rings you."),
        "me-spam": N_("This number is marked as spam, and does not ring you any more."),
        "me-ok": N_("This number is marked as not spam."),
        "me-allow": N_("From now on this number always rings you."),
        "me-block": N_("This number does not ring you any more."),
        "me-off-list": N_("The number is removed from your list."),
        "me-expecting": N_("For two hours every call for you rings."),
        "me-not-expecting": N_("Your calls are screened again."),
        "me-quiet-on": N_("Quiet hours are on: during them, strangers do not ring you."),
        "me-quiet-off": N_("Quiet hours are off."),
        "me-whispers-on": N_("You hear warnings before calls that may be unwanted."),
        "me-whispers-off": N_("You hear no warnings any more."),
        "me-signed-out": N_("The device is signed out."),
        "me-all-signed-out": N_("All other devices are signed out."),
        "me-signed-in": N_("You are signed in on this device for 90 days."),
        "person-signed-out": N_("The devices are signed out."),
        "person-links-ended": N_("The links to the personal page do not work any more."),
    },
    has_templates=True,
)
