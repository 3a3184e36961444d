"""What a segment is: a rule as a tree, and what it says of one customer."""
