"""What can be done with orders: place them, move their goods, and account for their money."""
