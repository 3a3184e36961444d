"""What we say: versioned templates, immutable once approved, rendered in a sandbox in the customer's language."""
