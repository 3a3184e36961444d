"""What can be done with deals: open, change and move them, convert leads into them, change their stages."""
