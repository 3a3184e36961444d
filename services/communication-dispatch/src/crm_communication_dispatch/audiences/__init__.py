"""A segment at a moment, complete, with everyone left out counted by reason."""
