"""Rules of identity: what a role may do, what a key looks like, what a password must be."""
