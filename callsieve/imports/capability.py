"""The capability `imports`: imports lists of numbers and contacts once, and feeds regularly."""

from callsieve.capability import DATA_OUT, NOT_KEPT, Capability, Entry, Group, Help, Section, Undo, Unit
from reputation.users import Role
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="imports",
    help=(
        Help("import", Group.SETTING_UP, "Import numbers, calls, contacts and people."),
        Help("feeds", Group.NUMBERS, "Fetch published lists of numbers, and show the lists' state."),
    ),
    commands={
        "feeds": "cli.feeds:show_feeds",
        "feeds fetch": "cli.feed_fetch:fetch_feeds",
        "import numbers": "cli.commands:import_numbers_file",
        "import feed": "cli.feeds:import_feed",
        "import calls": "cli.calls:import_calls",
        "import contacts": "cli.calls:import_contacts",
        "import list": "cli.commands:show_imports",
        "import remove": "cli.commands:remove_import",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(
        Entry(10, Section.SETTINGS, "/feeds", N_("Feeds")),
        Entry(12, Section.SETTINGS, "/people", N_("People")),
    ),
    changes={
        **dict.fromkeys(
            ("import people", "import dids", "import remove"),
            Undo(by="callsieve.imports.operations:undo_of_person", role=Role.ADMINISTRATOR, is_import=True),
        ),
        **dict.fromkeys(("import calls", "import contacts", "import feed", "import numbers"), NOT_KEPT),
        "feed fetch": Wording("The feed is fetched once more; its usual schedule does not change."),
        "people export": DATA_OUT,
        "did export": DATA_OUT,
    },
    sentences={
        "import people": N_("{who} imported the person {about}"),
        "import people/": N_("{who} imported people"),
        "import dids": N_("{who} imported the DID {about}"),
        "import dids/": N_("{who} imported DIDs"),
        "import remove": N_("{who} removed the import {about} and its contents"),
        "import calls": N_("{who} imported calls from {about}"),
        "import contacts": N_("{who} imported contacts from {about}"),
        "import feed": N_("{who} imported the feed {about}"),
        "feed fetch": N_("{who} asked to fetch the feed {about}"),
        "import numbers": N_("{who} imported numbers from {about}"),
        "people export": N_("{who} exported people"),
        "did export": N_("{who} exported DIDs"),
    },
    messages={
        "feed-due": N_("The feed is fetched at the next run of callsieve-feeds.timer, within 20 minutes."),
        "import-gone": N_("The import and its contents are removed. Import the same file to restore it."),
    },
    has_templates=True,
    checks="feed_health:CHECKS",
    metrics="feed_health:metrics",
    scheduled="feed_health:SCHEDULED",
    units=(
        Unit("callsieve-feeds.service", "feeds fetch"),
        Unit("callsieve-feeds.timer"),
    ),
)
