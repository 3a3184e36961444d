"""Numbers that people read on documents: contiguous for each tenant, kind and year."""
