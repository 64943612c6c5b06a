"""The server of a target: started, watched, asked."""
