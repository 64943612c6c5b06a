"""Point the links of a copy at its WAL directory and its tablespaces."""

from pathlib import Path

from pgpool_recovery.facts.step.place import Places


def lead_to_places(places: Places) -> None:
    """Point the copy's links at where its WAL directory and tablespaces are after the swap."""
    wal = None if places.wal is None else places.wal.path
    for link, target in _links(places, [each.location for each in places.tablespaces], wal):
        _lead(link, target)


def lead_to_copies(places: Places) -> None:
    """Point the copy's links at its own parts, so that programs that change it spare old data."""
    wal = None if places.wal is None else places.wal.new
    for link, target in _links(places, [each.copy_location for each in places.tablespaces], wal):
        if link.is_symlink():  # A place that does not exist yet has no clone.
            _lead(link, target)


def _links(places: Places, locations: list[str], wal: str | None) -> list[tuple[Path, str]]:
    new = Path(places.data.new)
    spaces = [new / "pg_tblspc" / str(each.oid) for each in places.tablespaces]
    return [*zip(spaces, locations, strict=True), *([] if wal is None else [(new / "pg_wal", wal)])]


def _lead(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)
