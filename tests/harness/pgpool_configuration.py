"""The files with which the harness starts Pgpool-II, as text."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .installation import Installation
from .machine import Machine
from .postgresql import Server
from .template import PASSWORDS, SUPERUSER

PCP_USER = "pgpool"
PCP_PASSWORD = "pcp-secret"

HostnameStyle = Literal["address", "name", "socket"]


@dataclass(frozen=True)
class PgpoolSettings:
    """What a test may override; `extra` wins over everything that the harness sets.

    `failover_command` None means the harness's own, which promotes the new main node when the
    primary is gone; the empty string means none.
    """

    clustering_mode: str = "streaming_replication"
    hostname_style: HostnameStyle = "address"
    recovery_user: str = SUPERUSER
    recovery_1st_stage_command: str = "recovery_1st_stage"
    recovery_2nd_stage_command: str = ""
    failover_command: str | None = None
    follow_primary_command: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PgpoolPlace:
    """Where one Pgpool-II lives and listens."""

    machine: Machine
    directory: Path
    port: int
    pcp_port: int

    @property
    def sockets(self) -> Path:
        return self.directory / "sockets"

    @property
    def log(self) -> Path:
        return self.directory / "pgpool.log"

    @property
    def failover_script(self) -> Path:
        return self.directory / "failover.sh"

    @property
    def pcp_host(self) -> str:
        """The name under which programs on its own host reach PCP."""
        return self.machine.address

    @property
    def pcppass(self) -> Path:
        return self.directory / ".pcppass"


def pgpool_conf(place: PgpoolPlace, settings: PgpoolSettings, servers: Sequence[Server]) -> str:
    """Return pgpool.conf. Every value is quoted: unquoted ones must start with a letter."""
    parameters = {
        **_connections(place),
        **_checks(),
        **_recovery(place, settings),
        **_backends(settings.hostname_style, servers),
        "pool_passwd": "pool_passwd",
        "enable_pool_hba": "on",
        **settings.extra,
    }
    return "".join(f"{name} = '{value}'\n" for name, value in parameters.items())


def pool_hba_conf(machine: Machine, servers: Sequence[Server]) -> str:
    method = servers[0].authentication
    networks = ("127.0.0.1/32", machine.network)
    return "".join(["local all all trust\n", *(f"host all all {n} {method}\n" for n in networks)])


def pool_passwd() -> str:
    return "".join(f"{user}:TEXT{password}\n" for user, password in PASSWORDS.items())


def pcp_conf() -> str:
    digest = hashlib.md5(PCP_PASSWORD.encode(), usedforsecurity=False).hexdigest()
    return f"{PCP_USER}:{digest}\n"


def pcppass() -> str:
    return f"*:*:{PCP_USER}:{PCP_PASSWORD}\n"


def failover_script(installation: Installation) -> str:
    """Promote the new main node when the node that failed was the primary.

    By SQL, so that no ssh is needed from the host of Pgpool-II to the nodes.
    """
    return f"""\
#!/bin/sh
failed_id=$1 old_primary_id=$2 new_main_host=$3 new_main_port=$4
echo "failover.sh: node $failed_id, old primary $old_primary_id, new main '$new_main_host'"
[ "$failed_id" = "$old_primary_id" ] || exit 0
[ -n "$new_main_host" ] || exit 0
exec {installation.program("psql")} -X -w -h "$new_main_host" -p "$new_main_port" \\
    -U {SUPERUSER} -d postgres -c 'SELECT pg_promote(true, 30)'
"""


def _connections(place: PgpoolPlace) -> dict[str, str]:
    everywhere = "127.0.0.1" if place.machine.address == "127.0.0.1" else "*"
    return {
        "listen_addresses": everywhere,
        "port": str(place.port),
        # Both names that the setting had: a release ignores those that it does not know.
        "socket_dir": str(place.sockets),
        "unix_socket_directories": str(place.sockets),
        "pcp_listen_addresses": everywhere,
        "pcp_port": str(place.pcp_port),
        "pcp_socket_dir": str(place.sockets),
        "logdir": str(place.directory),
        "work_dir": str(place.directory),
        "pid_file_name": str(place.directory / "pgpool.pid"),
        "num_init_children": "12",
        "log_line_prefix": "%t [%p] %a: ",
    }


def _checks() -> dict[str, str]:
    """Settings that make Pgpool-II notice within about two seconds that a node is gone."""
    return {
        "health_check_period": "1",
        "health_check_timeout": "3",
        "health_check_max_retries": "1",
        "health_check_retry_delay": "1",
        "health_check_user": SUPERUSER,
        "health_check_database": "postgres",
        "connect_timeout": "3000",
        "sr_check_period": "1",
        "sr_check_user": SUPERUSER,
        "sr_check_database": "postgres",
        "search_primary_node_timeout": "30",
        "failover_on_backend_error": "off",
        "auto_failback": "off",
    }


def _recovery(place: PgpoolPlace, settings: PgpoolSettings) -> dict[str, str]:
    # %d failed node, %P old primary, %H and %r host and port of the new main node.
    own_failover = f"{place.failover_script} %d %P %H %r"
    failover = settings.failover_command
    return {
        "backend_clustering_mode": settings.clustering_mode,
        "failover_command": own_failover if failover is None else failover,
        "follow_primary_command": settings.follow_primary_command,
        "recovery_user": settings.recovery_user,
        "recovery_password": "",
        "recovery_1st_stage_command": settings.recovery_1st_stage_command,
        "recovery_2nd_stage_command": settings.recovery_2nd_stage_command,
        "recovery_timeout": "30",
        "client_idle_limit_in_recovery": "-1",
    }


def _backends(style: HostnameStyle, servers: Sequence[Server]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for server in servers:
        number = server.node_id
        parameters |= {
            f"backend_hostname{number}": _hostname(style, server),
            f"backend_port{number}": str(server.port),
            f"backend_weight{number}": "1",
            f"backend_data_directory{number}": str(server.data_directory),
            f"backend_flag{number}": "ALLOW_TO_FAILOVER",
            f"backend_application_name{number}": server.name,
        }
    return parameters


def _hostname(style: HostnameStyle, server: Server) -> str:
    if style == "socket":
        return str(server.machine.socket_directory)
    return server.machine.name if style == "name" else server.machine.address
