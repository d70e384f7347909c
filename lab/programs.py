"""Which of our modules are programs, as tests and benchmarks start them: `python -m` and one of these."""

COMMAND_LINE = "callsieve.main.entry"  # the command line, and `serve`
CONSOLE = "callsieve.main.console_server"  # as the daemon starts it
AGI_SCRIPT = "callsieve.main.agi_script"
TRIAL = "callsieve.replay.trial"
