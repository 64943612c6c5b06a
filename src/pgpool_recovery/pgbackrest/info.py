"""Parse ``pgbackrest info --output=json`` of a stanza (checked with 2.45, 2.55 and 2.60)."""

import json
from collections.abc import Iterable
from typing import Any

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.backup import BackupTablespace, NoBackup, Repository

OK, NO_STANZA_PATH, NO_BACKUP, NO_STANZA_DATA = 0, 1, 2, 3
"""Codes of a repository's status; any other one is a failure, whose message is in the status."""


@record
class Newest:
    """The backup that a restore would use: the newest one of the first repository that has any.

    `archives` are those of its cluster, each with the number of its repository and its ID.
    """

    repo: int
    repository: Repository
    major: int
    archives: tuple[tuple[int, str], ...]


def read_newest(output: str, stanza: str) -> Newest | NoBackup:
    """Return the newest backup of a stanza, or why there is none.

    A backup with page checksum errors is skipped in favour of an older one. WAL of any repository
    counts, since archive-get searches all of them.
    """
    try:
        return _newest(_stanza(output), stanza)
    except (AttributeError, LookupError, TypeError, ValueError, Refused) as error:
        return NoBackup(
            "the output of pgbackrest info cannot be parsed",
            detail=f"The missing or unexpected part: {error!r}.",
        )


def read_tablespaces(output: str) -> tuple[BackupTablespace, ...] | NoBackup:
    """Return the tablespaces of a backup, from the output of info with ``--set``."""
    try:
        (backup,) = _stanza(output)["backup"]
        return tuple(
            BackupTablespace(oid=found["oid"], name=found["name"], location=found["destination"])
            for found in backup["tablespace"] or ()
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return NoBackup(
            "pgbackrest info does not report the tablespaces of the backup",
            detail=f"The missing or unexpected part: {error!r}.",
            hint="Install pgBackRest 2.41 or later.",
        )


def _stanza(output: str) -> dict[str, Any]:
    """Return the only stanza; lines before it are warnings of pgbackrest or ssh."""
    lines = [line for line in lines_of(output) if line.startswith("[")]
    (stanza,) = json.loads(lines[-1])
    return dict(stanza)


def _newest(found: dict[str, Any], stanza: str) -> Newest | NoBackup:
    if found["status"]["lock"].get("restore", {}).get("held"):  # Reported since 2.59.
        return NoBackup(
            f"a restore of stanza {stanza} is running on that host", hint="Wait for it."
        )
    repos = {repo["key"]: repo["status"] for repo in found["repo"]}
    backups = [
        backup
        for backup in found["backup"]
        if repos[backup["database"]["repo-key"]]["code"] == OK and not backup["error"]
    ]
    if not backups:
        return _without_backup(found, repos.values(), stanza)
    first_repo = min(backup["database"]["repo-key"] for backup in backups)
    newest = [backup for backup in backups if backup["database"]["repo-key"] == first_repo][-1]
    database = _database(found, newest["database"])
    return Newest(
        repo=first_repo,
        repository=Repository(
            stanza=stanza,
            label=newest["label"],
            start=_point(newest["archive"]["start"], newest["lsn"]["start"]),
            stop=_point(newest["archive"]["stop"], newest["lsn"]["stop"]),
            system_identifier=str(database["system-id"]),
            size_bytes=newest["info"]["size"],
            archived=_archived(found, database),
        ),
        major=int(database["version"].split(".")[0]),
        archives=tuple(
            (archive["database"]["repo-key"], archive["id"])
            for archive in _archives(found, database)
        ),
    )


def _without_backup(
    found: dict[str, Any], statuses: Iterable[dict[str, Any]], stanza: str
) -> NoBackup:
    codes = {status["code"] for status in statuses}
    if codes - {OK, NO_STANZA_PATH, NO_BACKUP, NO_STANZA_DATA}:
        return NoBackup(
            f"stanza {stanza} cannot be reached",
            detail="\n".join(status["message"] for status in statuses),
            hint="Try pgbackrest info there, as the user that runs PostgreSQL.",
            is_unreachable=True,
        )
    if found["backup"]:
        return NoBackup(
            f"all backups of stanza {stanza} have page checksum errors",
            hint="Check the primary's disks, with pg_amcheck and the log of pgbackrest backup.",
        )
    if codes & {OK, NO_BACKUP}:
        return NoBackup(f"stanza {stanza} has no backup", hint="Make one with pgbackrest backup.")
    return NoBackup(
        f"stanza {stanza} does not exist in the repository",
        hint="Check stanza in [pgbackrest] of the settings, or create it with pgbackrest "
        "stanza-create.",
    )


def _database(found: dict[str, Any], key: dict[str, int]) -> dict[str, Any]:
    """Return the cluster of a backup or an archive; an upgraded stanza has several clusters."""
    databases = {(one["id"], one["repo-key"]): one for one in found["db"]}
    return dict(databases[key["id"], key["repo-key"]])


def _archived(found: dict[str, Any], database: dict[str, Any]) -> str | None:
    """Return the last WAL file of the cluster, by timeline and then by number."""
    files = [archive["max"] for archive in _archives(found, database)]
    return max((file for file in files if file is not None), default=None)


def _archives(found: dict[str, Any], database: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        archive
        for archive in found["archive"]
        if _database(found, archive["database"])["system-id"] == database["system-id"]
    ]


def _point(wal_file: str, lsn: str) -> Point:
    return Point(TimelineId(int(wal_file[:8], 16)), Lsn(parse_lsn(lsn)))
