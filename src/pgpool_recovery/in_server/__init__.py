"""What the functions in a server know as well as the command: Python 3.6, nothing else of ours."""
