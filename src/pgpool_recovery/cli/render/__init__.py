"""Facts in, text out: nothing here asks anybody; golden files show what it says."""
