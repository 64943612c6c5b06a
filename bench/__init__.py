"""Measure this product next to what a user would use instead. Not tests: nothing is asserted."""
