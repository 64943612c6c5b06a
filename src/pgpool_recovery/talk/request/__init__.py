"""What a runner asks an agent, by subject; agent/answers has a module of each name."""
