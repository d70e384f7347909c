"""Our own numbers: the register, statistics of their calls, and whether the model would find them unwanted."""
