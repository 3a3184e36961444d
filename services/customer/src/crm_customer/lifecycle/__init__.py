"""How far a customer has come, by the tenant's own rules."""
