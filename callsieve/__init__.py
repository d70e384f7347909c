"""CallSieve itself: settings, daemon, command line, console and API. No other package imports it."""
