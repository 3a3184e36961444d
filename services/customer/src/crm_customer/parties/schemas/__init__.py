"""Customers as clients send and see them."""
