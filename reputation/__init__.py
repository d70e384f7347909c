"""The types, the store and the reputation model for numbers and people. Imports no other package of the project."""
