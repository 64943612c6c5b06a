"""Find clusters of Debian's postgresql-common, whose configuration is in /etc/postgresql."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.host.program import run
from pgpool_recovery.host.setting_source import find_sources
from pgpool_recovery.host.stop import Stop

CONFIGURATION = Path("/etc/postgresql")
LOGS = Path("/var/log/postgresql")


@record
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
    """Return the cluster with this data directory; None if there is none, as on other systems.

    The clusters' configuration files usually tell. pg_lsclusters reads the same files, but is a
    slow Perl program that also queries each server, so it is run only when they are not enough.
    """
    if shutil.which("pg_lsclusters") is None:
        return None
    data = data_directory.resolve()
    known = tuple(_configured())
    found = (cluster for cluster, directory in known if directory and directory.resolve() == data)
    cluster = next(found, None)
    if cluster is not None or all(directory for _, directory in known):
        return cluster
    listed = run(["pg_lsclusters", "--no-header"], stop)
    # It lists no cluster at all if one of them has neither data directory nor
    # unix_socket_directories: it derives the socket's directory from the data directory's owner
    # (get_cluster_socketdir).
    for line in lines_of(listed.output) if listed.status == 0 else ():
        version, name, _port, _status, _owner, rest = line.split(None, 5)
        directory, _, log_file = rest.rpartition(" ")
        if Path(directory.rstrip()).resolve() == data:
            return DebianCluster(version, name, log_file)
    return None


def _configured() -> Iterator[tuple[DebianCluster, Path | None]]:
    """Yield the clusters that have a configuration, like get_version_clusters in PgCommon.pm.

    Each comes with its data directory; None if the files do not set it, or cannot all be read.
    """
    for configured in sorted(CONFIGURATION.glob("*/*")):
        file = configured / "postgresql.conf"
        if os.path.lexists(file):
            version, name = configured.parts[-2:]
            sources = find_sources([file])
            said = sources.settings.get("data_directory") if sources.is_whole else None
            cluster = DebianCluster(version, name, _log_file(version, name))
            yield cluster, Path(said.text) if said and said.text else None


def _log_file(version: str, name: str) -> str:
    """Return the file to which pg_ctlcluster redirects stderr, like cluster_info in PgCommon.pm."""
    link = CONFIGURATION / version / name / "log"
    if link.is_symlink():
        return str(link.readlink())
    return str(LOGS / f"postgresql-{version}-{name}.log")
