"""Hosts as Debian's installer leaves them, with only the packages that each of them needs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from tests.harness.host import Host
from tests.harness.ssh import authorize_ssh

from .archive import use_archive
from .plan import ADMIN, PGPOOL, StockPlan

KEY = "id_rsa_pgpool"
_REBUILDS_MANUAL = "/var/lib/man-db/auto-update"
"""Without it, no index of manual pages is made after each package, which takes 15 seconds."""
_WITHOUT_QUESTIONS = {"DEBIAN_FRONTEND": "noninteractive"}
_EVERYTHING = f"{ADMIN} ALL=(ALL:ALL) NOPASSWD: ALL\n"


def make_fresh(hosts: Sequence[Host], plan: StockPlan, major: int, archive: Path) -> None:
    """Give each host only the packages that it would have, an archive for apt, and its users."""
    in_parallel(lambda host: _make_fresh(host, plan, major, archive), hosts)


def in_parallel(act: Callable[[Host], object], hosts: Sequence[Host]) -> None:
    """Do something on several hosts at the same time."""
    with ThreadPoolExecutor(len(hosts)) as threads:
        list(threads.map(act, hosts))


def purge(host: Host, *packages: str) -> None:
    """Remove packages, those that depend on them, and their configuration."""
    argv = ["apt-get", "purge", "--yes", "-qq", *packages]
    host.run(argv, user="root", env=_WITHOUT_QUESTIONS, timeout_s=180)


def let_admin_in(pgpool: Host, servers: Sequence[Host], plan: StockPlan) -> None:
    """Give the person on the host of Pgpool-II the login on the database hosts that is planned."""
    if plan.login == "none":
        return
    user = "root" if plan.login == "root" else ADMIN
    for server in servers:
        authorize_ssh(pgpool, server, user=user)


def let_postgres_in(hosts: Sequence[Host], servers: Sequence[Host]) -> None:
    """Make a key for postgres on each host, which opens the database hosts, as the manual has it.

    No host key is known: the sample scripts do not look.
    """
    in_parallel(_make_key, hosts)
    keys = "".join(host.path(_key_file(host, ".pub")).read_text() for host in hosts)
    for server in servers:
        server.write_file(server.home / ".ssh" / "authorized_keys", keys)


def keep_postgres_out(hosts: Sequence[Host]) -> None:
    """Take all that back."""
    for host in hosts:
        host.run(["rm", "-rf", host.home / ".ssh"])


def _make_fresh(host: Host, plan: StockPlan, major: int, archive: Path) -> None:
    host.path(_REBUILDS_MANUAL).unlink(missing_ok=True)
    use_archive(host, archive)
    if host.name == PGPOOL:
        purge(host, f"postgresql-{major}")
    else:
        purge(host, "pgpool2", *([] if plan.plpython else [f"postgresql-plpython3-{major}"]))
    for directory in ("/home", "/opt", "/root"):
        host.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", directory], user="root")
    if plan.login in ("sudo", "no sudo"):
        # `*` and not `!`: see harness/host.py.
        useradd = ["useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", ADMIN]
        host.run(useradd, user="root")
    if plan.login == "sudo" or (plan.login == "no sudo" and host.name == PGPOOL):
        host.write_file(f"/etc/sudoers.d/{ADMIN}", _EVERYTHING, owner="root", mode=0o440)


def _make_key(host: Host) -> None:
    host.make_directory(host.home / ".ssh", mode=0o700)
    owner = f"postgres@{host.name}"
    file = _key_file(host)
    host.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-C", owner, "-f", file])


def _key_file(host: Host, suffix: str = "") -> PurePath:
    return host.home / ".ssh" / f"{KEY}{suffix}"
