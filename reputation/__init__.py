"""Numbers, people and reputations: their types, the store, and the model. Imports no other package of the project."""
