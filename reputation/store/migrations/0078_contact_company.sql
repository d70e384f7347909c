-- Whom a contact works for, as the name that comes with a call is compared: a colleague of a contact is no stranger.
ALTER TABLE contact ADD COLUMN company TEXT;
CREATE INDEX contact_company ON contact (company) WHERE company IS NOT NULL;
