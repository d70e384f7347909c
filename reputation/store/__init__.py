"""The store: one SQLite file, one connection that reads, one that writes. All SQL of the project is in this package."""
