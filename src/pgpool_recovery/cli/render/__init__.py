"""Facts in, text out: no I/O here; the golden files show the output."""
