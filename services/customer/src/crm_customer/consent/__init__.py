"""What a customer allowed, when, on what ground, and what proves it."""
