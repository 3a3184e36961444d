"""Insights: what a campaign returned, and how far leads come."""
