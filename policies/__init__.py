"""Decides about a call: policies as data, and one function without I/O. Only policy files are read."""
