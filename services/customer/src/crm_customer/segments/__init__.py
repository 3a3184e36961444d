"""Groups of customers by rule, kept up to date."""
