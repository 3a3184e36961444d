"""SQL of segments."""
