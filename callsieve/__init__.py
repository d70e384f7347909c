"""Operate CallSieve: settings, the daemon (composition root) and the command line. Nothing imports it."""
