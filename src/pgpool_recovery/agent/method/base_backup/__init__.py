"""Receive a whole base backup, and check each file against the manifest while it is written."""
