"""Every message of every department, on every channel."""
