"""The types of numbers, people and reputations, the store, and the model. Imports no other package of the project."""
