"""The command lines of pgbackrest, and how a shell parses the restore_command."""

import shlex
from dataclasses import replace

from pgpool_recovery.facts.backup import Restoration
from pgpool_recovery.pgbackrest.command import archive_get, info_words, restore_words
from tests.unit.plan.test_restore import BACKUP

RESTORATION = Restoration(
    backup=BACKUP,
    directory="/data.pgpool_recovery/new",
    data_directory="/data",
    wal_directory=None,
    locations={16400: "/ts1", 16500: "/ts2"},
)


def test_info() -> None:
    assert info_words("/usr/bin/pgbackrest", "main", protocol_timeout_s=30) == [
        "/usr/bin/pgbackrest",
        "--stanza=main",
        "--log-level-file=off",
        "--log-level-stderr=error",
        "--no-log-timestamp",
        "--log-level-console=off",
        "--output=json",
        "--protocol-timeout=30",
        "info",
    ]


def test_info_of_one_backup() -> None:
    words = info_words("pgbackrest", "main", protocol_timeout_s=0.2, of=(2, "20261124-054411F"))
    assert words[-4:] == ["--protocol-timeout=1", "--repo=2", "--set=20261124-054411F", "info"]


def test_restore() -> None:
    assert restore_words(RESTORATION, protocol_timeout_s=300) == [
        "/usr/bin/pgbackrest",
        "--stanza=main",
        "--repo=1",
        "--set=20261124-054411F",
        "--pg1-path=/data.pgpool_recovery/new",
        "--delta",
        "--type=standby",
        "--archive-mode=preserve",
        "--reset-recovery-option",
        "--reset-db-include",
        "--reset-db-exclude",
        "--no-link-all",
        "--reset-link-map",
        "--tablespace-map=16400=/ts1",
        "--tablespace-map=16500=/ts2",
        "--reset-tablespace-map-all",
        "--log-level-file=off",
        "--log-level-stderr=error",
        "--no-log-timestamp",
        "--log-level-console=detail",
        "--protocol-timeout=300",
        "restore",
    ]


def test_maps_of_the_configuration_are_reset_without_tablespaces_too() -> None:
    words = restore_words(replace(RESTORATION, locations={}), protocol_timeout_s=300)
    assert {"--reset-tablespace-map", "--reset-tablespace-map-all"} <= set(words)


def test_restore_command() -> None:
    assert archive_get(BACKUP, "/data") == (
        "PGBACKREST_DB_TIMEOUT=5 /usr/bin/pgbackrest --stanza=main --pg1-path=/data "
        '--protocol-timeout=10 archive-get %f "%p"'
    )


def test_shell_expands_nothing_in_a_restore_command() -> None:
    odd = """/it's "odd" $(id) `id` %f\\%p; id"""
    command = archive_get(BACKUP, odd)
    filled = command.replace("%%", "\0").replace("%f", "WAL").replace("%p", "pg_wal/RECOVERYXLOG")
    assert shlex.split(filled.replace("\0", "%")) == [
        "PGBACKREST_DB_TIMEOUT=5",
        "/usr/bin/pgbackrest",
        "--stanza=main",
        f"--pg1-path={odd}",
        "--protocol-timeout=10",
        "archive-get",
        "WAL",
        "pg_wal/RECOVERYXLOG",
    ]
