-- Rows of other sites that could not be used: of which site, and why (reputation/store/hub/rows.py, Unfit).
ALTER TABLE hub_link DROP COLUMN refused;
CREATE TABLE hub_refused (
    site TEXT NOT NULL,
    unfit TEXT NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (site, unfit)
) STRICT, WITHOUT ROWID;
