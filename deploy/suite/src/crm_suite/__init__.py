"""The crm command: the whole suite in one process, its demo and its operations."""
