"""Which Pgpool-II and which nodes a command talks to, by its options and the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.cli.own_user import own_name
from pgpool_recovery.domain.error import SettingsError, Unreachable, UsageError
from pgpool_recovery.domain.record import record, replace

if TYPE_CHECKING:
    from pgpool_recovery.config.settings import Settings
    from pgpool_recovery.control.cluster import Cluster
    from pgpool_recovery.control.extension import Primary
    from pgpool_recovery.pcp.pool import Pool

HINT = "Check --host: it must name the host of Pgpool-II, without a user name."


@record
class Where:
    """Where Pgpool-II and the settings are: the values of the connection options."""

    host: str | None = None
    port: int | None = None
    username: str | None = None
    config: Path | None = None
    without_pgpool: bool = False

    def settings(self) -> "Settings":
        """Return the settings, overridden by the options that were given."""
        from pgpool_recovery.config.load import load_settings, settings_file
        from pgpool_recovery.config.settings import Host, Port
        from pgpool_recovery.domain.node import parse_host

        settings = load_settings(settings_file(self.config))
        pgpool = settings.pgpool
        return replace(
            settings,
            pgpool=replace(
                pgpool,
                host=Host(parse_host(self.host, hint=HINT)) if self.host else pgpool.host,
                pcp_port=pgpool.pcp_port if self.port is None else Port(self.port),
                pcp_user=self.username or pgpool.pcp_user,
            ),
        )

    def pool(self, settings: "Settings") -> "Pool":
        """Return the Pgpool-II to talk to; raises UsageError with --without-pgpool."""
        from pgpool_recovery.control.cluster import pool_of

        if self.without_pgpool:
            raise UsageError("this command cannot be used with --without-pgpool")
        return pool_of(settings.pgpool, own_name())

    def cluster(self, settings: "Settings") -> "Cluster":
        """Return the cluster as Pgpool-II knows it now, or as the settings describe it.

        If Pgpool-II does not answer, the nodes of the settings are used if there are any, because
        that is when their state matters most. Otherwise raises Unreachable.
        """
        from pgpool_recovery.cli.output import note
        from pgpool_recovery.control.cluster import cluster_of_pool, cluster_of_settings
        from pgpool_recovery.postgres.connection import load

        load()  # In the background, while Pgpool-II answers; the servers are queried next.
        if self.without_pgpool:
            return cluster_of_settings(settings)
        try:
            return cluster_of_pool(self.pool(settings), settings)
        except Unreachable as error:
            try:
                cluster = cluster_of_settings(settings)
            except SettingsError:
                raise error from None
            note(f"{error.message}; the nodes are taken from the settings")
            return cluster

    def primary(self) -> "tuple[Settings, Primary, Cluster]":
        """Return the settings, the primary and the cluster."""
        from pgpool_recovery.control.watch import primary_of

        settings = self.settings()
        cluster = self.cluster(settings)
        return settings, primary_of(cluster), cluster
