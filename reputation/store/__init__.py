"""The store: one SQLite file, one connection that reads, one that writes. All SQL of the project is here.

Every read and every write is a plain function `fn(db, ...)`. The daemon runs it with `Store.read` and
`Store.write` (connection.py), everything else with `open_store` and `transaction` (database.py, transaction.py).
"""
