"""The log that a supporter turns on: what was asked, decided, run and awaited, and for how long.

Off, it costs a comparison wherever something could be logged.
"""
