"""What is wrong with this machine and this installation, why that matters, and what to do about it."""
