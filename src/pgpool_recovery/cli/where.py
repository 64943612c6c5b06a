"""Whom a command asks: the options and the settings together."""

import getpass
import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from pgpool_recovery.domain.error import SettingsError, Unreachable, UsageError

if TYPE_CHECKING:
    from pgpool_recovery.config.settings import Settings
    from pgpool_recovery.control.cluster import Cluster
    from pgpool_recovery.control.extension import Primary
    from pgpool_recovery.pcp.pool import Pool

HINT = "Check --host: it is where Pgpool-II is reached, without a user."
CONNECTION = Group("Connection", sort_key=10)


@Parameter(name="*", group=CONNECTION)
@dataclass(frozen=True)
class Where:
    """Where Pgpool-II and the settings are."""

    host: Annotated[str | None, Parameter(name=["--host", "-H"])] = None
    """Host of Pgpool-II, or the directory of its PCP socket."""

    port: Annotated[int | None, Parameter(name=["--port", "-p"])] = None
    """PCP port of Pgpool-II."""

    username: Annotated[str | None, Parameter(name=["--username", "-U"])] = None
    """PCP user; its password is in ~/.pcppass."""

    config: Path | None = None
    """Settings file, in place of /etc/pgpool-recovery.toml."""

    without_pgpool: bool = False
    """Do without Pgpool-II; the nodes are those of the settings, the primary is found by SQL."""

    def settings(self) -> "Settings":
        """Return the settings, with what the options say in their place."""
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
        """Return the Pgpool-II that is meant."""
        from pgpool_recovery.control.cluster import pool_of

        if self.without_pgpool:
            raise UsageError("this cannot be done without Pgpool-II")
        return pool_of(settings.pgpool, own_name())

    def cluster(self, settings: "Settings") -> "Cluster":
        """Return the cluster, as Pgpool-II knows it now or as the settings have it.

        Where Pgpool-II does not answer and the settings name the nodes, those are taken, for that
        is when one wants to look at them most.
        """
        from pgpool_recovery.cli.output import note
        from pgpool_recovery.control.cluster import cluster_of_pool, cluster_of_settings

        if self.without_pgpool:
            return cluster_of_settings(settings)
        try:
            return cluster_of_pool(self.pool(settings), settings)
        except Unreachable as error:
            try:
                cluster = cluster_of_settings(settings)
            except SettingsError:
                raise error from None
            note(f"{error.message}; the nodes are those of the settings")
            return cluster

    def primary(self) -> "tuple[Settings, Primary, Cluster]":
        """Return the settings, the primary and the cluster."""
        from pgpool_recovery.control.watch import primary_of

        settings = self.settings()
        cluster = self.cluster(settings)
        return settings, primary_of(cluster), cluster


def own_name() -> str:
    """Return the name of the operating system's user, as whom the pcp_* commands ask, too."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return getpass.getuser()
