"""Answers requests from Asterisk: the FastAGI server, and the classic AGI script that relays requests to the server."""
