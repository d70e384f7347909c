"""What to do with a call: policies as data and one pure function that decides. No I/O but reading a policy file."""
