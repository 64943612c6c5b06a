"""Clusters as Debian's postgresql-common keeps them, with the configuration in /etc/postgresql."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.host.program import Stop, run
from pgpool_recovery.host.setting_source import find_sources

CONFIGURATION = Path("/etc/postgresql")
LOGS = Path("/var/log/postgresql")


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
    data = data_directory.resolve()
    listed = run(["pg_lsclusters", "--no-header"], stop)
    for line in lines_of(listed.output) if listed.status == 0 else ():
        version, name, _port, _status, _owner, rest = line.split(None, 5)
        directory, _, log_file = rest.rpartition(" ")
        if Path(directory.rstrip()).resolve() == data:
            return DebianCluster(version, name, log_file)
    # It lists none at all when a single one has no data directory and no unix_socket_directories:
    # whose socket it would be, it asks of the directory's owner (get_cluster_socketdir).
    found = _configured() if listed.status != 0 else ()
    return next((cluster for cluster, directory in found if directory.resolve() == data), None)


def _configured() -> Iterator[tuple[DebianCluster, Path]]:
    """Yield the clusters that have a configuration, and their data directories."""
    for file in sorted(CONFIGURATION.glob("*/*/postgresql.conf")):
        directory = find_sources([file]).texts.get("data_directory")
        if directory:
            version, name = file.parts[-3:-1]
            yield DebianCluster(version, name, _log_file(version, name)), Path(directory)


def _log_file(version: str, name: str) -> str:
    """Return where pg_ctlcluster lets the server write, as cluster_info in PgCommon.pm has it."""
    link = CONFIGURATION / version / name / "log"
    if link.is_symlink():
        return str(link.readlink())
    return str(LOGS / f"postgresql-{version}-{name}.log")
