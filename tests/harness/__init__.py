"""Real PostgreSQL, Pgpool-II and sshd on machines of their own, for tests and demonstrations.

Imports the standard library only; the client load, a process of its own, also psycopg. Start
reading at `cluster.py` and `cluster_site.py`; below them stand `postgresql.py`, `pgpool.py` and
`load.py`, and below those the two kinds of machine: `host.py` (namespaces, with the files of any
Debian system that `system.py` finds) and `local_host.py` (this machine itself). What happens while
a node is away is in `gap.py`, the proof that it equals its primary afterwards in `proof.py`.
"""
