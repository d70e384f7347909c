-- What the network showed in the place of a caller's number, where that is no number: "invalid" alone says nothing of it.
ALTER TABLE decision ADD COLUMN caller_text TEXT NOT NULL DEFAULT '';
