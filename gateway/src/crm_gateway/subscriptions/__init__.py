"""Events for other systems: what the suite's services published in the last days, kept here in an order of its own."""
