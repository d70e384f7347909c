"""How often the model is right: a simulated office, simple methods beside the real code, and attacks on its numbers."""
