"""Two records of one customer become one, and apart again exactly."""
