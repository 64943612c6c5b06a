"""The Debian packages on hosts: installed by apt beside the stock ones, used, upgraded, removed.

Start reading at `test_life.py`. How they are built for a test is in `built.py`, what a host does
with them in `debian.py`.
"""
