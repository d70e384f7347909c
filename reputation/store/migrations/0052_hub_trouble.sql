-- Since when this PBX has wanted to take part in a hub that it has never reached, and why it did not (`failure`). No row: it
-- has reached it, or does not want to.
CREATE TABLE hub_first_try (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    at REAL NOT NULL,
    failure TEXT NOT NULL DEFAULT ''
) STRICT;

-- `history`: of the hub's server, which is another one after a replica has taken its place. `full_at`: the hub keeps
-- `full_at` rows of ours and no more, what else there is waits; 0: there is room. `has_twin`: another PBX uses our name.
ALTER TABLE hub_link ADD COLUMN history TEXT;
ALTER TABLE hub_link ADD COLUMN full_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hub_link ADD COLUMN has_twin INTEGER NOT NULL DEFAULT 0;

ALTER TABLE hub_site ADD COLUMN rows_kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hub_site ADD COLUMN most_rows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hub_site ADD COLUMN twin_at REAL;
