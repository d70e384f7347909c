"""Our own numbers: the register, statistics of their calls, and what the model would think of their calls."""
