"""The PCP client: Python 3.6 and the standard library only, because PL/Python runs it, too."""
