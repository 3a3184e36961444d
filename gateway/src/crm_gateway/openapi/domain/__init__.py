"""Merging documents and finding the route of a request; dictionaries in, dictionaries out."""
