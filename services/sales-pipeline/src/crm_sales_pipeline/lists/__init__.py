"""What every list and every record shares: who sees which rows, and where a page goes on."""
