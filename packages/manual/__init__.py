"""Write the man pages, from the grammar of the commands and the reference in docs.

They are made when packages are built, and the program never needs them at run time. So they are
here and not in `cli`, where every module is shipped to every host.
"""
