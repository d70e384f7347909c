"""The store: an SQLite file with a connection for reading and a connection for writing. All SQL of the project is here.

Every read and write is a function `fn(db, ...)`. The daemon runs it with `Store.read` or `Store.write`, other programs
on a connection of `open_store`.
"""
