"""What the customer service told us about customers: enough to sell to them, nothing more."""
