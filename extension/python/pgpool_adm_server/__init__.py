"""Run pgpool_adm in the PostgreSQL server: the PCP client, called with SQL arguments.

Standard library only, Python 3.6 and later. ``extension/build.py`` writes these modules, the client
and the parts of ``pgpool_recovery_server`` that they need into the bodies of PL/Python functions.
"""
