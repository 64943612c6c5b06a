"""Carry out a plan step by step, and undo it if it fails."""
