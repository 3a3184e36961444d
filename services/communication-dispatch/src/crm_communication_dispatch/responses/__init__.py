"""What comes back: clicks, replies, bounces, complaints, unsubscriptions, coupons."""
