"""The smallest service there is, with which the kernel is tested: notes that can be written, changed, found and counted."""
