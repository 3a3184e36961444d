"""What can be done with customer records."""
