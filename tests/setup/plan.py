"""What a stranger's cluster is like, and what it may lack."""

from dataclasses import dataclass
from typing import Literal

ADMIN = "admin"
SERVERS = ("server1", "server2", "server3")
PGPOOL = "pgpool"
ACCOUNTS = {"postgres": "superuser-secret", "repl": "standby-secret", "pgpool": "check-secret"}
"""The roles of Pgpool-II's manual, with their passwords."""


@dataclass(frozen=True)
class StockPlan:
    """As Pgpool-II's manual has it, by default; each field is a thing in which strangers differ.

    `login`: how the host of Pgpool-II reaches root on the database hosts: as `admin`, who may run
    everything by sudo without a password; as `admin`, who may not; as root; or not at all.
    `ssh`: user postgres may log in from each host to each database host, by `id_rsa_pgpool`.
    `replication_line`: pg_hba.conf admits `repl` from the other hosts.
    `extension`: the stock package and extension are there. `plpython`: so is PL/Python.
    `down`: nodes that do not run. `moved`: a node with another port and data directory.
    """

    postgresql_major: int | None = None
    login: Literal["sudo", "no sudo", "root", "none"] = "sudo"
    ssh: bool = True
    replication_line: bool = True
    recovery_user: str = "postgres"
    extension: bool = True
    plpython: bool = False
    down: tuple[int, ...] = ()
    moved: int | None = None
