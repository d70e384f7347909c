"""Learn from how calls end: Asterisk's events in, outcomes out. Start with tracker.py; connection.py is the socket."""
