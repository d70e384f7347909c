"""Numbers, people and reputations: types, the store, and the model. Imports no other package of the project."""
