"""The console: see, correct, tune. Its own process; what happens to it never touches a call.

A page is a line in the table of its module in `pages/` (who may ask for it, and which function answers), a frozen
dataclass of what it shows, made by functions of the store and pure ones, and a template that only formats. How to add
one: docs/architecture.md.
"""
