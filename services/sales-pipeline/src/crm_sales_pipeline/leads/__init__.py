"""Leads: interest with a buying window, followed up in time or brought back when their time comes."""
