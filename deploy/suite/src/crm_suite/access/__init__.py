"""Who gets in: tenants and API keys, from the command line."""
