"""The packages that are installed, as for `setup`."""
