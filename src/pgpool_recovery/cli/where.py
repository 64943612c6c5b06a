"""Whom a command asks: the options and the settings together."""

import getpass
import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from pgpool_recovery.config.settings import Settings
    from pgpool_recovery.pcp.pool import Pool

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

    def settings(self) -> "Settings":
        """Return the settings, with what the options say in their place."""
        from pgpool_recovery.config.load import load_settings, settings_file
        from pgpool_recovery.config.settings import Port

        settings = load_settings(settings_file(self.config))
        pgpool = settings.pgpool
        return replace(
            settings,
            pgpool=replace(
                pgpool,
                host=self.host or pgpool.host,
                pcp_port=pgpool.pcp_port if self.port is None else Port(self.port),
                pcp_user=self.username or pgpool.pcp_user,
            ),
        )

    def pool(self, settings: "Settings") -> "Pool":
        """Return the Pgpool-II that is meant."""
        from pgpool_recovery.operator.cluster import pool_of

        return pool_of(settings.pgpool, own_name())


def own_name() -> str:
    """Return the name of the operating system's user, as whom the pcp_* commands ask, too."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return getpass.getuser()
