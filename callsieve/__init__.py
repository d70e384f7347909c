"""Operate CallSieve: settings, the daemon and the command line. No other package imports it."""
