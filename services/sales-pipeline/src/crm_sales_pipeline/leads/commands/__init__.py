"""What can be done with leads: capture them, and follow them up."""
