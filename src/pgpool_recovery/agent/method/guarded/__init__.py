"""A directory that is written while no server can start in it, and is committed as a whole."""
