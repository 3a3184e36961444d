"""What is sold: products, price books for each currency with validity, tax and explicit rounding."""
