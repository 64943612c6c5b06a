"""The debug log: requests, decisions, commands and waits, with their durations.

If it is off, it costs one comparison wherever something could be logged.
"""
