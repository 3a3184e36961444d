"""Forgetting a person: everything this service keeps of them, and word to all others to do the same."""
