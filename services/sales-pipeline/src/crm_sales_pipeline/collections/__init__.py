"""Collections: receipts and refunds, and what is overdue."""
