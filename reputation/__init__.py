"""The types of numbers and people, their store, and the reputation model. Imports no other package of the project."""
