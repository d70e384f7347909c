"""Observes how calls end: AMI events in, call outcomes out. Start with tracker.py. connection.py has the socket."""
