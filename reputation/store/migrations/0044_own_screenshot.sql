-- What a phone or an app showed of one of our numbers, as a picture: of the look of that number, platform and instant.
CREATE TABLE own_screenshot (
    number TEXT NOT NULL,
    platform TEXT NOT NULL,
    at REAL NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (number, platform, at)
) STRICT;
