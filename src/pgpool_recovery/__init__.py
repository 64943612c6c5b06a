"""Online recovery of PostgreSQL nodes behind Pgpool-II."""

__version__ = "2.0.0"
