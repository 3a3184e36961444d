"""The ledger: one row per recipient and channel, and the waves that send it."""
