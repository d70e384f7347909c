-- The second factor of a user of the console: the secret that their app shares (NULL: none), and the time step of the code
-- that was accepted last, so that no code counts twice. Unlike a password the secret cannot be hashed: codes are made of it.
ALTER TABLE console_user ADD COLUMN totp_secret TEXT;
ALTER TABLE console_user ADD COLUMN totp_step INTEGER;
