-- "Not spam" has a word of its own in what standings count: all are folded again, by the daemon, some at a time.
UPDATE folding SET after = '';
