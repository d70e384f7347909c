"""What we know about numbers and people: types, the store, reputations. A leaf: it imports nothing of ours."""
