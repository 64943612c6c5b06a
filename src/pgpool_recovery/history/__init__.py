"""The record of recoveries, written while they run, for the views of the extension."""
