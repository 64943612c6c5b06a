"""The only package that writes files; it also checks who else could have written one."""
