"""The whole API under generated requests: what the merged document says against what the suite does."""
