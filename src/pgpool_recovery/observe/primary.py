"""Observe the primary by SQL, and its files on this host."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pgpool_recovery.domain.control_file import STANDBY_PARAMETERS
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.slot import slot_names
from pgpool_recovery.facts.access import NO_ACCESS
from pgpool_recovery.facts.facts import (
    PrimaryFacts,
    Slot,
    Stream,
    Tablespace,
)
from pgpool_recovery.host.file_access import look_as_source
from pgpool_recovery.host.filesystem import filesystem_of, identity_of
from pgpool_recovery.plan.meanwhile import wal_rate
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.leftovers import read_leftovers
from pgpool_recovery.postgres.wal import read_wal

NEW_S = 5.0
"""For how many seconds an observation of the primary counts as current."""


def observe_primary(connection: Connection, *, looks_at_files: bool = True) -> PrimaryFacts:
    """Return the facts about the server at the other end, which runs on this host.

    With `looks_at_files`, each file is examined: a plan needs to know how many bytes there are.
    """
    row = connection.row("primary", measures=looks_at_files)
    endpoint = connection.row("own_endpoint")
    data = Path(row["data_directory"])
    spaces = connection.rows("tablespaces", measures=looks_at_files)
    tablespaces = tuple(_tablespace(found, row) for found in spaces)
    return PrimaryFacts(
        version=row["version"],
        system_identifier=row["system_identifier"],
        is_in_recovery=row["is_in_recovery"],
        data_directory=identity_of(data),
        is_configuration_inside=Path(row["config_file"]).is_relative_to(data),
        bin_directory=row["bin_directory"],
        socket_directories=_words(row["unix_socket_directories"]),
        wal_level=row["wal_level"],
        max_wal_senders=row["max_wal_senders"],
        wal_senders=row["wal_senders"],
        max_replication_slots=row["max_replication_slots"],
        slots=tuple(Slot(**slot) for slot in connection.rows("slots")),
        standby_parameters={name: row[name] for name in STANDBY_PARAMETERS},
        data_bytes=row["data_bytes"],
        wal_bytes=row["wal_bytes"],
        max_wal_bytes=row["max_wal_bytes"],
        tablespaces=tablespaces,
        replication_users=_distinct(connection.rows("replication_users")),
        rewind_users=_distinct(connection.rows("rewind_users")),
        streams=tuple(Stream(**stream) for stream in connection.rows("streams")),
        compressions=_distinct(connection.rows("compressions")),
        wal=None if row["is_in_recovery"] else read_wal(connection),
        port=endpoint["port"],
        asks_clear_text=endpoint["asks_clear_text"],
        restore_command=row["restore_command"],
        leftovers=read_leftovers(connection),
        slot_limit_bytes=row["slot_limit_bytes"],
        syncs_slots=row["syncs_slots"],
        awaited_slots=slot_names(row["awaited_slots"]),
        synchronous_standby_names=row["synchronous_standby_names"],
        access=look_as_source(data, [Path(t.location, t.directory) for t in tablespaces])
        if looks_at_files
        else NO_ACCESS,
        wal_bytes_per_s=None
        if row["is_in_recovery"]
        else wal_rate(**connection.row("wal_written")),
        wal_free_bytes=filesystem_of(data / "pg_wal").free_bytes,
        can_back_up=row["can_back_up"],
        wal_directory=identity_of(data / "pg_wal"),
    )


class PrimaryLook:
    """Returns the facts about the primary when they are needed; the first time, from beforehand.

    A failure of the first observation is ignored: the next one reports it if it persists.
    """

    def __init__(self, connection: Connection, *, looks_at_files: bool) -> None:
        self._connection = connection
        self._looks_at_files = looks_at_files
        self._seen: PrimaryFacts | None = None
        self._at = 0.0
        with suppress(Unreachable):
            self._look(looks_at_files=looks_at_files)
        self._is_ahead = self._seen is not None

    def __call__(self) -> PrimaryFacts:
        """Return the first observation, once and while it is current, otherwise a new one."""
        is_ahead, self._is_ahead = self._is_ahead, False
        seen = self._new() if is_ahead else None
        return seen or self._look(looks_at_files=self._looks_at_files)

    def recent(self) -> PrimaryFacts:
        """Return the last observation while it is current, otherwise a new one without files."""
        return self._new() or self._look(looks_at_files=False)

    def _new(self) -> PrimaryFacts | None:
        return self._seen if time.monotonic() - self._at < NEW_S else None

    def _look(self, *, looks_at_files: bool) -> PrimaryFacts:
        self._seen = observe_primary(self._connection, looks_at_files=looks_at_files)
        self._at = time.monotonic()  # At the end: to examine many files can take longer than NEW_S.
        return self._seen


def observing_primary(connection: Connection, *, looks_at_files: bool = True) -> PrimaryLook:
    """Observe the primary, and return what returns its facts when they are needed."""
    return PrimaryLook(connection, looks_at_files=looks_at_files)


def _tablespace(found: dict[str, Any], server: dict[str, Any]) -> Tablespace:
    """Return a tablespace; the version directory is TABLESPACE_VERSION_DIRECTORY (relpath.h)."""
    directory = f"PG_{server['version'] // 10000}_{server['catalog_version']}"
    return Tablespace(
        oid=found["oid"],
        location=found["location"],
        directory=directory,
        size_bytes=found["size_bytes"],
        identity=identity_of(Path(found["location"], directory)),
    )


def _words(text: str) -> tuple[str, ...]:
    words = (word.strip().strip('"') for word in text.split(","))
    return tuple(word for word in words if word.startswith("/"))


def _distinct(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["name"] for row in rows))
