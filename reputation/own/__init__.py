"""Our own numbers: their register, statistics of their calls, and the reputation that the model would give them."""
