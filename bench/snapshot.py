"""Keep the data directories of a cluster, so that each measurement begins with them."""

import shutil
import subprocess
from pathlib import Path

from tests.harness.clean_stop import both_stopped
from tests.harness.cluster import Cluster
from tests.harness.postgresql import Server
from tests.harness.until import until

_COPY_WITHIN_S = 600


class Snapshot:
    """A primary, node 0, and its standby, node 1, in the state of a clean shutdown."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        self._settings = [dict(server.settings) for server in cluster.servers]
        cluster.pgpool.stop()
        with both_stopped(cluster.node(0), cluster.node(1)):
            for server in cluster.servers:
                _copy(_data_directory(server), self._of(server))

    def restore(self) -> None:
        """Restore the state that was kept; afterwards the standby streams again."""
        cluster = self._cluster
        if cluster.pgpool.is_running:
            cluster.pgpool.stop()
        for server, settings in zip(cluster.servers, self._settings, strict=True):
            server.kill()
            server.remove_data()
            _copy(self._of(server), _data_directory(server))
            server.settings = dict(settings)
        primary, _ = cluster.servers
        for server in cluster.servers:
            server.start()
        until(
            lambda: primary.sql("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"),
            within_s=60,
            what="the standby to stream",
        )
        cluster.pgpool.start()

    @property
    def pretty_size(self) -> float:
        """The size of the kept data directory of the primary, in megabytes."""
        files = self._of(self._cluster.node(0)).rglob("*")
        return sum(file.lstat().st_size for file in files if file.is_file()) / 1e6

    def _of(self, server: Server) -> Path:
        return self._directory / server.name


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    argv = ["cp", "--archive", "--reflink=auto", str(source), str(target)]
    subprocess.run(argv, check=True, timeout=_COPY_WITHIN_S)


def _data_directory(server: Server) -> Path:
    return server.machine.path(server.data_directory)
