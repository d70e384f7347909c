-- Whether nothing was known of the caller. Of the calls that are there already it is not known: they are nobody's first.
ALTER TABLE decision ADD COLUMN first_call INTEGER NOT NULL DEFAULT 0;
