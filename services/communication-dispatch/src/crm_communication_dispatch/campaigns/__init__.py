"""Campaigns: planned, reviewed, approved by another person, run, and proven complete."""
