"""The smallest service there is, with which the kernel is tested: notes to be written, changed, found and counted."""
