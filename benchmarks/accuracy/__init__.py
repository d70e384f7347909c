"""Measures how often the model is right: in a simulated office, compared with simple methods, and under attack."""
