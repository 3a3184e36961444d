"""Who is what to whom: typed, dated relations between parties."""
