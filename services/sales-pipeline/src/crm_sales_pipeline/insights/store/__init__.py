"""Statements of the insights slice: what it keeps, and what it counts in the slices below."""
