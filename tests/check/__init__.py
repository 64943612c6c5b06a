"""What is told of a recovery before it is needed, on real clusters."""
