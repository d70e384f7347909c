-- While this table is there, the checksums of the lists may be made from the lists as they are (database.py drops it then).
-- Afterwards checksums that are missing are damage, not something that was never made.
CREATE TABLE list_digest_unmade (list TEXT NOT NULL) STRICT;
