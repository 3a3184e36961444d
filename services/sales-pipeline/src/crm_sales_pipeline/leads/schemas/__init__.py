"""Leads, and how their windows are treated, over HTTP."""
