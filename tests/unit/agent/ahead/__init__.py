"""Fetching WAL ahead of a server."""
