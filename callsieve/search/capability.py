"""The capability `search`: find numbers, people and pages from the header of every page of the console."""

from callsieve.capability import Capability

CAPABILITY = Capability(name="search", pages=("web.pages",), has_templates=True)
