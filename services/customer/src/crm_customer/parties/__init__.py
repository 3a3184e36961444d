"""Whom we deal with: persons and organisations, how they are reached, and what changed about them."""
