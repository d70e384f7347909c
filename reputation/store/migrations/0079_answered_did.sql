-- When somebody last answered a call to one of our numbers, for longer than calls are kept: such a number is no trap.
CREATE TABLE answered_did (number TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX answered_did_at ON answered_did (at);
CREATE TRIGGER answered_did_of_call AFTER DELETE ON outcome
WHEN old.direction = 'inbound' AND old.disposition = 'answered' AND old.did IS NOT NULL
BEGIN
    INSERT INTO answered_did (number, at) VALUES (old.did, old.at)
    ON CONFLICT (number) DO UPDATE SET at = max(at, excluded.at);
END;
