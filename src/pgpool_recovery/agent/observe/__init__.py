"""Observe the agent's host; nothing is changed."""
