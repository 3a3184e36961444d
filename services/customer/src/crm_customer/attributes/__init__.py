"""Typed custom attributes: what a tenant keeps about customers beyond our own fields."""
