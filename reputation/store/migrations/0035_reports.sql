-- What was reported to a service of others about a number: what they have now. `refused`: they did not want it.
CREATE TABLE report (
    service TEXT NOT NULL,
    number TEXT NOT NULL,
    rating TEXT NOT NULL,
    at REAL NOT NULL,
    refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;

-- Since when marks may be reported to it: those of before were made without that in mind. And how it goes.
CREATE TABLE report_service (
    service TEXT PRIMARY KEY,
    since REAL NOT NULL,
    looked_at REAL,
    failed_at REAL,
    failure TEXT
) STRICT, WITHOUT ROWID;
