"""Deals: chances to sell, their stages, probability and forecast."""
