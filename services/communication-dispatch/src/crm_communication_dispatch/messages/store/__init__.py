"""Every statement on the ledger: rows one by one, and waves of them."""
