"""Only the clone is changed: the tablespaces of the old data stay unchanged."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.clone import clone_again
from pgpool_recovery.facts.step.place import Place, Places, TablespacePlace
from pgpool_recovery.host.stop import Stop

OID = 16400
VERSION = "PG_17_1"


class Clone:
    """The clone of a data directory with one tablespace, as `clone` leaves it."""

    def __init__(self, root: Path) -> None:
        self.location = root / "ts"
        workspace = root / "ts.pgpool_recovery"
        data = root / "data.pgpool_recovery"
        place = Place(
            path=str(self.location / VERSION),
            workspace=str(workspace),
            is_inside=False,
            new=str(workspace / "new" / VERSION),
        )
        space = TablespacePlace(OID, str(self.location), place)
        self.own = Path(place.new)
        self.places = Places(
            data=Place(str(root / "data"), str(data), is_inside=False, new=str(data / "new")),
            wal=None,
            tablespaces=(space,),
        )
        self.locations = {OID: space.copy_location}
        self.link = data / "new" / "pg_tblspc" / str(OID)
        self.link.parent.mkdir(parents=True)
        self.link.symlink_to(space.copy_location)
        for directory, text in ((self.location / VERSION, "replayed"), (self.own, "cloned")):
            (directory / "5").mkdir(parents=True)
            (directory / "5" / "1").write_text(text)

    def recover_elsewhere(self) -> None:
        """Point the link at the location in the WAL record, and replay something there."""
        self.link.unlink()
        self.link.symlink_to(self.location)
        (self.location / VERSION / "5" / "2").write_text("replayed")

    def clone_again(self) -> None:
        clone_again(self.places, self.locations, Stop())

    def contents(self) -> dict[str, str]:
        return {file.name: file.read_text() for file in (self.own / "5").iterdir()}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_tablespace_whose_link_points_elsewhere_comes_back_with_what_was_replayed(
    clone: Clone,
) -> None:
    clone.recover_elsewhere()
    clone.clone_again()
    assert str(clone.link.readlink()) == clone.locations[OID]
    assert clone.contents() == {"1": "replayed", "2": "replayed"}
    (clone.own / "5" / "1").write_text("changed")
    assert (clone.location / VERSION / "5" / "1").read_text() == "replayed"


def test_tablespace_that_stayed_in_the_clone_is_left_alone(clone: Clone) -> None:
    clone.clone_again()
    assert clone.contents() == {"1": "cloned"}


def test_nothing_stays_of_a_tablespace_that_its_wal_has_dropped(clone: Clone) -> None:
    clone.link.unlink()
    clone.clone_again()
    assert not clone.own.exists()
    assert not clone.link.is_symlink()


def test_tablespaces_are_left_alone_where_the_directory_itself_is_changed(clone: Clone) -> None:
    clone.recover_elsewhere()
    clone.locations[OID] = str(clone.location)
    clone.clone_again()
    assert str(clone.link.readlink()) == str(clone.location)
    assert clone.contents() == {"1": "cloned"}
