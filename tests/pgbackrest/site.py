"""A primary, its standby, and a pgBackRest repository on a host of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.command import Completed
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.postgresql import Server
from tests.harness.system import system_with
from tests.harness.until import until
from tests.harness.workspace import Workspace

STANZA = "main"
REPOSITORY_HOST = "repository"
_CONFIGURATION = PurePath("/etc/pgbackrest.conf")
_ARCHIVING = {
    "archive_mode": "on",
    "archive_command": f"pgbackrest --stanza={STANZA} archive-push %p",
}
# pgBackRest accepts no limit below db-timeout, not even for a command that queries no database.
_LONG = {"db-timeout": "1800", "protocol-timeout": "1830"}
# Options that a DBA may have set for another kind of restore; each one would spoil ours.
_FOR_OTHER_RESTORES = {
    "archive-mode": "off",
    "db-exclude": "postgres",
    "link-all": "y",
    "link-map": "postgresql.conf=/nowhere/postgresql.conf",
    "recovery-option": "recovery_target=immediate",
    "tablespace-map-all": "/nowhere",
}


@dataclass(frozen=True)
class BackedUp:
    """A primary, its standby, and the host with the repository."""

    primary: Server
    standby: Server
    target: Host
    repository: Host

    def pgbackrest(self, *words: str, check: bool = True) -> Completed:
        """Run a command on the repository's host."""
        argv = ["pgbackrest", f"--stanza={STANZA}", *words]
        return self.repository.run(argv, timeout_s=120, check=check)

    def back_up(self, kind: str = "full") -> str:
        """Take a backup and return its label."""
        self.pgbackrest("backup", f"--type={kind}")
        return str(self.info()["backup"][-1]["label"])

    def info(self) -> dict[str, Any]:
        """Return what `pgbackrest info` on the repository's host reports about the stanza."""
        (stanza,) = json.loads(self.pgbackrest("info", "--output=json").stdout)
        return dict(stanza)

    def forget_wal(self) -> str:
        """Let the primary remove all archived WAL; return its last file. No node may stream."""
        self.primary.drop_slot(self.standby.slot)
        archived = self.archive_wal()
        self.primary.execute("CHECKPOINT")
        return archived

    def archive_wal(self) -> str:
        """Finish the current WAL segment, wait until it is archived, and return its name."""
        switched = "SELECT pg_walfile_name(pg_switch_wal())"
        ((name,),) = self.primary.sql(f"SELECT txid_current();\n{switched}")[1:]
        until(
            lambda: self.primary.sql("SELECT last_archived_wal FROM pg_stat_archiver") >= [(name,)],
            within_s=30,
            what=f"{name} to be archived",
        )
        return name


@contextmanager
def backed_up(
    workspace: Workspace,
    major: int,
    *,
    has_own_host: bool = True,
    initdb_options: tuple[str, ...] = (),
) -> Iterator[BackedUp]:
    """Yield nodes that reach a repository by ssh; it is on the primary's host or `has_own_host`."""
    system = system_with(major)
    names = ["node0", "node1", *([REPOSITORY_HOST] if has_own_host else [])]
    with Network(names, systems=dict.fromkeys(names, system)) as network:
        nodes = [network.host(name) for name in names[:2]]
        repository = network.host(names[2] if has_own_host else names[0])
        network.trust_all(network.hosts)
        plan = ClusterPlan(
            postgresql_major=major, settings=_ARCHIVING, initdb_options=initdb_options
        )
        site = Site(nodes, repository, repository, system.installation(major))
        primary, standby = build_servers(workspace, plan, site)
        pg1_path = {"pg1-path": str(primary.data_directory)}
        # Without job-retry = 0 it tries again after 15 s when the repository does not answer.
        there = {"repo1-host": repository.name, "repo1-host-user": "postgres", "job-retry": "0"}
        here = {"repo1-retention-full": "9", "repo1-bundle": "y", "start-fast": "y"}
        for node in nodes:
            configure(node, here if node is repository else there, pg1_path)
        if has_own_host:
            configure(
                repository, here, {"pg1-host": "node0", "pg1-host-user": "postgres", **pg1_path}
            )
        made = BackedUp(primary, standby, nodes[1], repository)
        made.pgbackrest("stanza-create")
        yield made


def configure(host: Host, options: dict[str, str], of_stanza: dict[str, str]) -> None:
    """Write pgbackrest.conf, with options for all stanzas and for ours."""
    usual = {"log-level-file": "off", "log-level-stderr": "off", "compress-type": "lz4"}
    text = _section("global", usual | _LONG | options) + _section(STANZA, of_stanza)
    text += _section("global:restore", _FOR_OTHER_RESTORES)
    host.write_file(_CONFIGURATION, text, mode=0o640)


def _section(name: str, options: dict[str, str]) -> str:
    lines = [f"[{name}]", *(f"{option}={value}" for option, value in options.items())]
    return "".join(f"{line}\n" for line in lines)
