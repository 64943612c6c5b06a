"""Look at the recovered node from outside: does it run, and does it stream?"""
