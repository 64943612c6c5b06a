"""Pages whose commands are run as a reader would type them, and whose output is compared."""
