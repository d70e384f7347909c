"""Decides about a call with policies from files. The decision is one function without I/O (engine.py)."""
