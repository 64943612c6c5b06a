"""What runs on the target: one process for each recovery."""
