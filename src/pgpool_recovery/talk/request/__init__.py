"""What a runner asks an agent, a module for each subject."""
