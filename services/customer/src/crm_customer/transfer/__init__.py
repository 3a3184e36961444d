"""Customers and purchases by the file."""
