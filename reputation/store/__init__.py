"""The store: one SQLite file with a reading and a writing connection. All SQL of the project is here.

Every read and write is a plain function `fn(db, ...)`. The daemon runs it with `Store.read` and `Store.write`
(connection.py), other programs with `open_store` and `transaction` (database.py, transaction.py).
"""
