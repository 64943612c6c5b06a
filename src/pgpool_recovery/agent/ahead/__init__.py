"""Fetch WAL from an archive for a server that replays, before it asks for it."""
