"""The way through: what is taken from a client, sent to a service, and given back."""
