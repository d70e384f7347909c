-- `is_central`: this site has been told all that the others keep private, for its console.
ALTER TABLE hub_link ADD COLUMN is_central INTEGER NOT NULL DEFAULT 0;
