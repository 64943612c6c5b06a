"""The conversation of runner and agent: its words, and the runner's end of it."""
