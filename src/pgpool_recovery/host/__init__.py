"""Code for the host that it runs on: directories, programs, processes and logs."""
