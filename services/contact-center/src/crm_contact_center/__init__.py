"""Every conversation with a customer, with the right agent."""
