-- The signed statement that the number was cleared, and the public key that checks it: made with the ruling; NULL: none.
ALTER TABLE public_appeal ADD COLUMN cleared TEXT;
ALTER TABLE public_appeal ADD COLUMN cleared_key TEXT;
