"""What customers did with their money: purchases, payments, returns."""
