"""Files are written here and nowhere else, and here is asked who else could have made one."""
