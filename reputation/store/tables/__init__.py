"""The tables of the store. Export, erasure, retention and sharing follow from their definitions (`every.TABLES`)."""
