"""Events that wait, from the command line."""
