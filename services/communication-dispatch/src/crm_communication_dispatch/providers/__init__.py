"""How a message leaves the house: a small port, and SMTP behind it."""
