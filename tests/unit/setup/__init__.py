"""setup: decided from facts, rendered, and carried out on shells that only record."""
