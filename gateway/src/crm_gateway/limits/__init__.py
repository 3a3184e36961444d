"""How much of the door each caller gets: token buckets per tenant and key, and load shedding."""
