"""Orders: what was sold, with separate axes for payment and delivery."""
