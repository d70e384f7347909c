"""The tables of the store, one value each: export, erasure, retention and sharing follow from it (`every.TABLES`)."""
