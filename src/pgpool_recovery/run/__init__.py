"""Carry a plan out, step by step, and take it back when it fails."""
