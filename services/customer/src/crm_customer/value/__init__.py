"""What a customer is worth: recency, frequency and monetary scores."""
