"""What each method does to a data directory."""
