"""Our own numbers: the register, how they are called from, and whether they would be marked."""
