"""Tests of what is reported about a recovery before it is needed, on real clusters."""
