"""Run on the target, as one process for each recovery."""
