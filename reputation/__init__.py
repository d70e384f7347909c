"""Numbers, people and reputations: types, the store, and the model. It imports no other package of the project."""
