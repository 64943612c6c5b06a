"""Clusters as Debian's postgresql-common keeps them, with the configuration in /etc/postgresql."""

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
    """Return the cluster whose data directory this is, or None (also on other systems).

    The files of the clusters say it. pg_lsclusters reads the same ones, but asks each server too
    whether it runs, and is a program in Perl; so it is asked only where the files leave it open.
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
    # It lists none at all when a single one has no data directory and no unix_socket_directories:
    # whose socket it would be, it asks of the directory's owner (get_cluster_socketdir).
    for line in lines_of(listed.output) if listed.status == 0 else ():
        version, name, _port, _status, _owner, rest = line.split(None, 5)
        directory, _, log_file = rest.rpartition(" ")
        if Path(directory.rstrip()).resolve() == data:
            return DebianCluster(version, name, log_file)
    return None


def _configured() -> Iterator[tuple[DebianCluster, Path | None]]:
    """Yield the clusters that have a configuration, as get_version_clusters in PgCommon.pm.

    With the data directory; None where the files do not say it, or cannot all be read.
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
    """Return where pg_ctlcluster leads standard error, as cluster_info in PgCommon.pm has it."""
    link = CONFIGURATION / version / name / "log"
    if link.is_symlink():
        return str(link.readlink())
    return str(LOGS / f"postgresql-{version}-{name}.log")
