"""One truth about whom we deal with."""
