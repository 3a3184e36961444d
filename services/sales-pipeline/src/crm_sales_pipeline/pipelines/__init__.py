"""Pipelines: stages that map to five canonical types, with guards at their doors."""
