"""Our own numbers: the register, the figures of their calls, and whether they would be marked."""
