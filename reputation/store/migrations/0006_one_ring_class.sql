-- One-ring calls by their class: one with a borrowed number must not take a call-back away from the number's owner.
CREATE TABLE one_ring_by_class (
    number TEXT NOT NULL,
    at REAL NOT NULL,
    auth_class TEXT NOT NULL,
    PRIMARY KEY (number, at, auth_class)
) STRICT, WITHOUT ROWID;
INSERT INTO one_ring_by_class (number, at, auth_class) SELECT number, at, 'unknown' FROM one_ring;
DROP TABLE one_ring;
ALTER TABLE one_ring_by_class RENAME TO one_ring;
CREATE INDEX one_ring_at ON one_ring (at);
