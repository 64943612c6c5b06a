"""The PCP client: Python 3.6 and the standard library alone, because PL/Python runs it as well."""
