-- Rows of other sites lie among ours, with the site in front of every name (reputation/site_names.py).

-- Of whom several names are one human, each name with that human's: a site counts such a person once.
CREATE TABLE same_person (
    person TEXT PRIMARY KEY,
    human TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX same_person_human ON same_person (human);

-- Sites of which nothing counts here, since when, who said so and why. Their rows stay as they are.
CREATE TABLE ignored_site (
    site TEXT PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The rows of a site, which is read when it is expelled and when its figures are shown. Phones with a port are few.
CREATE INDEX mark_elsewhere ON mark (reporter, number) WHERE instr(reporter, ':') > 0;
CREATE INDEX signal_elsewhere ON signal (callee, number) WHERE instr(callee, ':') > 0;
CREATE INDEX answered_elsewhere ON answered (callee, number) WHERE instr(callee, ':') > 0;
