"""The commands: the module of each below `callsieve`, and what `callsieve --help` says of it, in the order shown.

The help stands here so that `callsieve --help` imports none of the modules.
"""

COMMANDS = {
    "off": (
        "switch.cli.commands",
        "Switch screening off: calls go on as if CallSieve were not there. Works when the daemon is dead.",
    ),
    "on": ("switch.cli.commands", "Switch screening on again."),
    "doctor": (
        "doctor.cli.commands",
        "Look at everything that screening needs. Exit code 1 when something must be put right.",
    ),
    "lookup": (
        "numbers.cli.lookup",
        "Show all that is known about a number, and what would be decided about a call from it now.",
    ),
    "summary": (
        "replay.cli.summary",
        "Sum up the last days: what was done with calls or would have been, and first of all what was probably wrong.",
    ),
    "mark": (
        "numbers.cli.marks",
        "Mark a number as spam, or as not spam, in the name of one of our people. Spam is blocked for that person.",
    ),
    "unmark": ("numbers.cli.marks", "Take back what a person said about a number: as if it had never been said."),
    "feeds": ("imports.cli.feeds", "Show each feed: how large and how old it is, and whether it still comes."),
    "replay": (
        "replay.cli.commands",
        "Decide about the calls of a history again, each with only what was known before it. Changes nothing.",
    ),
    "guide": ("guide.cli.commands", "Print the page for everybody with a phone as HTML: one sheet, from any browser."),
    "web": ("main.web_command", "Serve the console, without the daemon. Runs until it is stopped."),
    "audit": (
        "audit.cli.commands",
        "Show who changed what and when: lists, marks, identities, appeals, imports. The latest first.",
    ),
    "undo": ("audit.cli.undo", "Take back a change, by its id in the audit; an import with all it brought."),
    "calls": ("calls.cli.commands", "What was decided about calls, and why."),
    "own": ("own_numbers.cli.commands", "Our own numbers: the register, and how to stay unmarked."),
    "list": ("lists.cli.commands", "Allowlists and blocklists: the administrator's, and people's own."),
    "identity": ("identities.cli.commands", "Who a number belongs to, and how well that is proven."),
    "reassigned": ("numbers.cli.reassigned", "Numbers that have another owner."),
    "appeal": ("appeals.cli.commands", "Appeals of number owners against a marking."),
    "review": ("numbers.cli.reviews", "Bursts of marks that wait for a look, and marks that are wrong."),
    "import": ("imports.cli.commands", "Numbers, past calls, contacts and people from files."),
    "policy": ("policy.cli.commands", "Policies: what is done with a call, and why."),
    "prompts": ("prompts.cli.commands", "What is said to callers and to us, and by what voice."),
    "emergency": ("maintenance.cli.emergency", "The window after an emergency call, in which nothing is screened."),
    "user": ("users.cli.commands", "Who may use the console."),
    "db": ("maintenance.cli.db", "The store's file."),
    "housekeeping": ("maintenance.cli.housekeeping", "What is done about the store again and again."),
    "privacy": ("numbers.cli.privacy", "What is stored about one number: data protection."),
    "asterisk": ("install.cli.commands", "Put CallSieve into Asterisk's configuration, or take it out."),
}
