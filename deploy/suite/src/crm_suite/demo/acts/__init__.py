"""The acts of the demo, in the order of the loop."""
