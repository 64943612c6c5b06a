"""Match the tablespaces of the target with those of the primary, and change its links to them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pgpool_recovery.agent.directory.modes import make_location
from pgpool_recovery.domain.data_directory import LINKS
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.write import sync
from pgpool_recovery.postgres.backup_stream import SentTablespace


@record
class Tablespaces:
    """The directories of all tablespaces in the backup by OID; which links are new, and which go.

    When a link is removed, the directory that it points to is left alone: in a copied data
    directory it may be the tablespace of another server.
    """

    directories: dict[int, Path]
    new: frozenset[int]
    gone: frozenset[int]


def linked_tablespaces(data_directory: Path) -> dict[int, Path]:
    """Return where the links of a data directory point; raise Refused for a tablespace in place."""
    found = {}
    with os.scandir(data_directory / LINKS) as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            if not entry.is_symlink():
                raise _made_in_place(int(entry.name))
            found[int(entry.name)] = Path(entry.path).resolve()
    return found


def match_tablespaces(
    linked: Mapping[int, Path],
    sent: Sequence[SentTablespace],
    locations: Mapping[int, str],
    version_directory: str,
) -> Tablespaces:
    """Return where each archive goes; raise Refused if a new tablespace has no unused location.

    `locations` says where on the target a tablespace goes that the target does not have yet.
    """
    for tablespace in sent:
        if not tablespace.location.startswith("/"):
            raise _made_in_place(tablespace.oid)
    new = {tablespace.oid for tablespace in sent} - linked.keys()
    missing = new - locations.keys()
    if missing:
        raise Refused(
            f"tablespace {min(missing)} of the primary has no place on the target",
            detail="It was created after the recovery was planned.",
            hint="Recover the node again.",
        )
    for oid in new:
        _check_unused(Path(locations[oid]) / version_directory)
    directories = {
        tablespace.oid: linked.get(tablespace.oid) or Path(locations[tablespace.oid])
        for tablespace in sent
    }
    return Tablespaces(directories, frozenset(new), frozenset(linked.keys() - directories.keys()))


def _made_in_place(oid: int) -> Refused:
    return Refused(
        f"tablespace {oid} was created in place, without a location",
        detail="That is meant for tests of PostgreSQL only (allow_in_place_tablespaces).",
        hint="Make a full copy.",
    )


def _check_unused(directory: Path) -> None:
    if directory.is_dir() and any(directory.iterdir()):
        raise Refused(
            f"{directory} holds data that is not known to be the node's own",
            detail="No link in the node's data directory points to it.",
            hint="Move its contents elsewhere, or give the node another directory with "
            "tablespace_mapping in the settings.",
        )


def link_new(data_directory: Path, tablespaces: Tablespaces) -> None:
    """Make the directories and links of the tablespaces that the target does not have yet."""
    for location in tablespaces.directories.values():
        make_location(location, data_directory)  # A linked one may have been lost with its disk.
        sync(location.parent)
    for oid in tablespaces.new:
        (data_directory / LINKS / str(oid)).symlink_to(tablespaces.directories[oid])
    sync(data_directory / LINKS)


def unlink_gone(data_directory: Path, tablespaces: Tablespaces) -> None:
    """Remove the links to the tablespaces that the primary no longer has."""
    for oid in tablespaces.gone:
        (data_directory / LINKS / str(oid)).unlink(missing_ok=True)
    sync(data_directory / LINKS)
