"""The tables of the store. Export, erasure, retention and sharing follow from the definitions in `every.TABLES`."""
