"""Code that the functions in a server and the command share: Python 3.6, without our other code."""
