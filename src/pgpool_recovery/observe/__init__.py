"""Collect the facts, from the primary by SQL and from the target through its agent."""
