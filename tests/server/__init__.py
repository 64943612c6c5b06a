"""The extension in a real server."""
