"""What is known before anything is decided, and the words of a decision: values only."""
