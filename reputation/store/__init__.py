"""The store: an SQLite file with a connection for reading and a connection for writing. All SQL of the project is here.

Every read and write is a plain function `fn(db, ...)`. The daemon runs these functions with `Store.read` and
`Store.write` (connection.py). Other programs use `open_store` and `transaction` (database.py, transaction.py).
"""
