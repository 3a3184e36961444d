"""What an installation by containers needs made for it: passwords, secrets and keys."""
