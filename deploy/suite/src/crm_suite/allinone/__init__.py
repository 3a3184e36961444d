"""The whole suite in one process and one event loop, on an embedded PostgreSQL server."""
