"""Quotes: numbered versions with totals computed here, immutable once sent."""
