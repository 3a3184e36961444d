"""Segments as clients send and see them."""
