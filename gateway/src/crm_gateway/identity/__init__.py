"""Who is at the door: tenants, users, API keys, sessions; and who they are to the services behind it."""
