"""Everything that happened around one customer, and the card shown when they call."""
