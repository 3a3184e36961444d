"""From the first sign of interest to money received."""
