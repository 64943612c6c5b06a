"""Run inside the PostgreSQL server: standard library only, Python 3.6 and later.

``extension/build.py`` writes these modules into the bodies of the PL/Python functions.
"""
