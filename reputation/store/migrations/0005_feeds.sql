-- What a generation of imported numbers tells of its feed, and how far it is while it is being staged.

-- The format its file had, for what came by `import feed`; NULL for a list that somebody imported by hand.
ALTER TABLE import_source ADD COLUMN format TEXT;
-- Of the rows as they were read: the same rows again go on where an import was cut off. Staged are all numbers up to
-- `staged_to`.
ALTER TABLE import_source ADD COLUMN digest TEXT;
ALTER TABLE import_source ADD COLUMN staged_to TEXT NOT NULL DEFAULT '';
-- How often the feed usually comes, and how many numbers the generation before had; NULL for the first.
ALTER TABLE import_source ADD COLUMN every_seconds REAL;
ALTER TABLE import_source ADD COLUMN numbers_before INTEGER;
-- The last attempt to replace the live generation, when that was refused.
ALTER TABLE import_source ADD COLUMN failed_at REAL;
ALTER TABLE import_source ADD COLUMN failure TEXT;
