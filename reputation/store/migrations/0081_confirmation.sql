-- That somebody found it right how the calls of a number were treated.
CREATE TABLE confirmation (number TEXT PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL) STRICT, WITHOUT ROWID;
