"""Local copies of what others say about customers: who they are, what they consented to, which segments hold them."""
