"""What may be sent: one policy of consent, suppression, caps and quiet hours for all departments."""
