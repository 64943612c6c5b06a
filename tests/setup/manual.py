"""The files of Pgpool-II's manual (8.2, "Pgpool-II + Watchdog Setup Example"), on Debian."""

import re
from collections.abc import Mapping, Sequence

from tests.harness.pgpool_configuration import PCP_PASSWORD, PCP_USER
from tests.harness.postgresql import Server
from tests.harness.psql import quoted
from tests.harness.samples import FAILOVER_WORDS, FOLLOW_WORDS, filled_in

from .fresh import KEY
from .plan import ACCOUNTS

HBA_LINES = (
    "host    all             all             samenet                 scram-sha-256",
    "host    replication     all             samenet                 scram-sha-256",
)
ROLES = f"""
CREATE ROLE pgpool LOGIN PASSWORD '{ACCOUNTS["pgpool"]}';
CREATE ROLE repl LOGIN REPLICATION PASSWORD '{ACCOUNTS["repl"]}';
ALTER ROLE postgres PASSWORD '{ACCOUNTS["postgres"]}';
GRANT pg_monitor TO pgpool;
"""
POOL_HBA_LINES = "".join(f"host all {role} 0.0.0.0/0 scram-sha-256\n" for role in ACCOUNTS)
PCPPASS = f"localhost:9898:{PCP_USER}:{PCP_PASSWORD}\n"


def with_settings(text: str, settings: Mapping[str, str]) -> str:
    """Return a configuration file with these values, each on the line where it has its default."""
    for name, value in settings.items():
        line = f"{name} = {quoted(value)}"
        default = re.search(rf"^#?{name}\s*=.*$", text, flags=re.MULTILINE)
        if default is None:
            text = f"{text.rstrip()}\n{line}\n"
        else:
            text = text[: default.start()] + line + text[default.end() :]
    return text


def postgresql_settings(server: Server) -> dict[str, str]:
    """Return what the manual changes; and checkpoints that nobody has to wait for."""
    return {
        "listen_addresses": "*",
        "archive_mode": "on",
        "archive_command": f'cp "%p" "{server.machine.home}/archivedir/%f"',
        "max_wal_senders": "10",
        "max_replication_slots": "10",
        "wal_level": "replica",
        "hot_standby": "on",
        "wal_log_hints": "on",
        "checkpoint_completion_target": "0",
    }


def password_file(servers: Sequence[Server]) -> str:
    return "".join(
        f"{server.machine.name}:{server.port}:{database}:{role}:{ACCOUNTS[role]}\n"
        for database, role in (("replication", "repl"), ("postgres", "postgres"))
        for server in servers
    )


def pgpool_settings(servers: Sequence[Server]) -> dict[str, str]:
    """Return what the manual changes, but nodes are found to be down within a few seconds."""
    return {
        "listen_addresses": "*",
        "port": "9999",
        "enable_pool_hba": "on",
        "sr_check_user": "pgpool",
        "health_check_period": "1",
        "health_check_timeout": "10",
        "health_check_user": "pgpool",
        "health_check_max_retries": "1",
        "failover_command": f"/etc/pgpool2/failover.sh {FAILOVER_WORDS}",
        "follow_primary_command": f"/etc/pgpool2/follow_primary.sh {FOLLOW_WORDS}",
        "recovery_user": "postgres",
        "recovery_1st_stage_command": "recovery_1st_stage",
        **{name: value for server in servers for name, value in _backend(server).items()},
    }


def script(name: str, server: Server) -> str:
    """Return a sample script with the edits that Debian's layout of a cluster needs.

    There, postgresql.conf is not in the data directory, so pg_ctl cannot start a server from there.
    And the host of Pgpool-II has no initdb, by which the samples of 4.3 find out the version; the
    later ones ask psql.
    """
    system, major = server.machine.system, server.installation.major
    values = {
        "PGHOME": str(server.installation.bindir.parent),
        "ARCHIVEDIR": f"{server.machine.home}/archivedir",
        "PGPOOL_PATH": "/usr/sbin",
        "SSH_KEY_FILE": KEY,
    }
    text = filled_in(name, system.root, values, home=str(server.machine.home))
    text = text.replace("${PGHOME}/bin/initdb -V", "${PGHOME}/bin/psql -V")
    configuration = f"{server.layout.configuration_directory}/postgresql.conf"
    text = re.sub(r"\$\{(DEST_NODE|NODE)_PGDATA\}/postgresql\.conf", configuration, text)
    start = r"\$(\{PGHOME\}|PGHOME)/bin/pg_ctl -l /dev/null -w -D \$\{\w+\} start"
    return re.sub(start, f"pg_ctlcluster {major} main start", text)


def _backend(server: Server) -> dict[str, str]:
    number, name = server.node_id, server.machine.name
    return {
        f"backend_hostname{number}": name,
        f"backend_port{number}": str(server.port),
        f"backend_weight{number}": "1",
        f"backend_data_directory{number}": str(server.data_directory),
        f"backend_flag{number}": "ALLOW_TO_FAILOVER",
        f"backend_application_name{number}": name,
    }
