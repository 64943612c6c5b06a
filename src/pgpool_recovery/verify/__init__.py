"""Check a started server from outside: is it a standby of this primary, and does it stream?"""
