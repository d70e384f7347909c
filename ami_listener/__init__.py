"""Observes how calls end: Asterisk's events in, outcomes out. Start with tracker.py. connection.py has the socket."""
