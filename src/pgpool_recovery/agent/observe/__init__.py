"""What the agent finds on its host; nothing is changed."""
