"""Build the packages of the distributions from wheels; nothing of it is installed."""
