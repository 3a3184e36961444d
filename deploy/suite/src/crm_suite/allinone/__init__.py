"""The whole suite by one command: one process answers, a second one works, over an embedded PostgreSQL server."""
