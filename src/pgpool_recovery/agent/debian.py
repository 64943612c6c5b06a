"""Clusters as Debian's postgresql-common keeps them, with the configuration in /etc/postgresql."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pgpool_recovery.agent.program import Stop, run
from pgpool_recovery.domain.line import lines_of

CONFIGURATION = Path("/etc/postgresql")


@dataclass(frozen=True)
class DebianCluster:
    """A cluster that pg_lsclusters lists."""

    version: str
    name: str
    log_file: str

    @property
    def configuration_file(self) -> Path:
        """Its postgresql.conf."""
        return CONFIGURATION / self.version / self.name / "postgresql.conf"


def find_cluster(data_directory: Path, stop: Stop) -> DebianCluster | None:
    """Return the cluster whose data directory this is, or None (also on other systems)."""
    if shutil.which("pg_lsclusters") is None:
        return None
    for line in lines_of(run(["pg_lsclusters", "--no-header"], stop).check().output):
        version, name, _port, _status, _owner, rest = line.split(None, 5)
        directory, _, log_file = rest.rpartition(" ")
        if Path(directory.rstrip()).resolve() == data_directory.resolve():
            return DebianCluster(version, name, log_file)
    return None
