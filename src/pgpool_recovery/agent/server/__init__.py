"""The server of a target: start it, watch it, query it and stop it."""
