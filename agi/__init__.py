"""Answers requests from Asterisk: the FastAGI server, and the classic AGI script that relays to it."""
