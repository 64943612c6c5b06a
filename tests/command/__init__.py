"""Commands of the user's own, which make data directories."""
