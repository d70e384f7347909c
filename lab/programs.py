"""Names of the modules that tests and benchmarks run with `python -m`."""

COMMAND_LINE = "callsieve.main.entry"  # the command line, and `serve`
CONSOLE = "callsieve.main.console_server"  # started by the daemon
AGI_SCRIPT = "callsieve.main.agi_script"
TRIAL = "callsieve.replay.trial"
