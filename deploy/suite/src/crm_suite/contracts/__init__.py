"""What was published is a promise: compares today's contracts with those that were released."""
