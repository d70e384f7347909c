-- Calls of ours that a network refused, and that a machine answered: neither is what a person did. Of the calls and days that
-- are there already it is not known.
ALTER TABLE outcome ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outcome ADD COLUMN machine INTEGER NOT NULL DEFAULT 0;
ALTER TABLE own_day ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE own_day ADD COLUMN machine INTEGER NOT NULL DEFAULT 0;

-- In which country the refused calls went: counts only, nobody's number but ours.
CREATE TABLE own_blocked (
    number TEXT NOT NULL,
    day INTEGER NOT NULL,
    country TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (number, day, country)
) STRICT, WITHOUT ROWID;
