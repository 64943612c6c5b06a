"""Recoveries on record: written while they run, for the views of the extension."""
