"""Answers made of several services' answers; the only place where services meet in one request."""
