"""The settings file: read, checked, with a sound default for everything."""
