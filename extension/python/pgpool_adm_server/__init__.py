"""What runs in the PostgreSQL server for pgpool_adm: the PCP client, asked with SQL's words.

Standard library only, Python 3.6 and later. ``extension/build.py`` writes these modules, the client
and what they need of ``pgpool_recovery_server`` into the bodies of two PL/Python functions.
"""
