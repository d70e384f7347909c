-- When somebody keyed the code of the status page in a call that showed the number; NULL: nobody has.
ALTER TABLE public_appeal ADD COLUMN called_at REAL;
