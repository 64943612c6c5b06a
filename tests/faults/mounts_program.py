"""Put full copies in place over real mounts, in a namespace of its own.

Called as python -m tests.faults.mounts_program DIR. For each layout it checks what is observed
beforehand, and that a copy is put in place and taken back.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.agent.directory.place import observe_place
from pgpool_recovery.domain.error import NoRoom
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.facts import PlaceFacts
from pgpool_recovery.facts.step.moving import Reserve, SwapIn
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.host.system_failure import failure_of_system
from pgpool_recovery.plan.situation import _place
from tests.unit.agent.test_full_disk import leftovers, new_steps, take

OLD, NEW = {"PG_VERSION": "old", "global/pg_control": "old"}, {"PG_VERSION": "new", "base/1": "new"}
WAL_OLD, WAL_NEW = {"0000000A": "old"}, {"0000000B": "new"}


def main() -> int:
    """Try every layout."""
    root = Path(sys.argv[1])
    for number, layout in enumerate(LAYOUTS):
        directory = root / str(number)
        directory.mkdir()
        layout(directory)
        print(f"{layout.__name__}: as it should be")
    return 0


def a_bind_mount_of_the_same_filesystem(root: Path) -> None:
    """The device number is that of the parent directory, so os.path.ismount does not detect it."""
    data = made(root / "data")
    bind(made(root / "disk"), data)
    assert not os.path.ismount(data), "this machine shows it"
    copied_over(data, is_inside=True)


def a_bind_mount_whose_name_has_a_blank_and_an_umlaut(root: Path) -> None:
    data = made(root / "dä tä\\")
    bind(made(root / "disk"), data)
    copied_over(data, is_inside=True)


def a_filesystem_of_its_own(root: Path) -> None:
    data = made(root / "data")
    mount("-t", "tmpfs", "-o", "size=1m,noexec,nosuid,nodev", "tmpfs", data)
    facts = copied_over(data, is_inside=True)
    assert facts.filesystem.mounted_at == str(data)
    assert not facts.filesystem.is_read_only


def a_link_to_a_mount_point(root: Path) -> None:
    there = made(root / "there")
    bind(made(root / "disk"), there)
    (root / "data").symlink_to(there)
    facts = copied_over(root / "data", is_inside=True)
    assert facts.path == str(there)


def a_directory_below_a_link(root: Path) -> None:
    mount("-t", "tmpfs", "tmpfs", made(root / "disk"))
    (root / "way").symlink_to(root / "disk")
    made(root / "disk" / "data")
    facts = copied_over(root / "way" / "data", is_inside=False)
    assert facts.path == str(root / "disk" / "data")
    assert facts.filesystem.mounted_at == str(root / "disk")


def a_wal_directory_that_is_a_bind_mount(root: Path) -> None:
    bind(made(root / "disk"), made(root / "wal"))
    write(root / "wal", WAL_OLD)
    data = made(root / "data")
    (data / "pg_wal").symlink_to(root / "wal")
    copied_over(data, is_inside=False, wal=root / "wal")


def a_directory_above_that_is_read_only(root: Path) -> None:
    """In a container, only the volume may be writable."""
    above = made(root / "above")
    mount("-t", "tmpfs", "tmpfs", above)
    data = made(above / "data")
    mount("-t", "tmpfs", "tmpfs", data)
    mount("-o", "remount,ro", above)
    copied_over(data, is_inside=True)


def a_filesystem_that_is_read_only(root: Path) -> None:
    data = made(root / "data")
    bind(made(root / "disk"), data)
    write(data, OLD)
    mount("-o", "remount,bind,ro", data)
    facts = observe_place(data, is_own=True)
    assert facts.filesystem.is_read_only
    assert facts.filesystem.mounted_at == str(data)
    assert not facts.can_write
    assert not facts.can_rename
    run = new_steps()
    try:
        take(run, Reserve(Places(_place(facts), None, ())))
    except OSError as error:
        said = failure_of_system(error)
    assert isinstance(said, NoRoom)
    assert "(dmesg)" in (said.hint or ""), said.hint
    assert f"the filesystem mounted at {data} is read-only" in (said.hint or ""), said.hint
    assert run.undo() is TargetState.UNTOUCHED


def a_directory_of_an_image(root: Path) -> None:
    """The data directory of a container without a volume is like this."""
    for name in ("lower", "upper", "work", "merged"):
        made(root / name)
    write(made(root / "lower" / "data"), OLD)
    layers = f"lowerdir={root}/lower,upperdir={root}/upper,workdir={root}/work"
    mount("-t", "overlay", "overlay", "-o", layers, root / "merged")
    data = root / "merged" / "data"
    (data / "postmaster.pid").touch()  # A server has run there.
    assert observe_place(data, is_own=True).is_layered
    copied_over(made(root / "merged" / "made_later"), is_inside=False)
    run = new_steps()
    places = Places(_place(observe_place(data, is_own=True)), None, ())
    take(run, Reserve(places))
    prepare(places.data, NEW)
    try:
        take(run, SwapIn(places))
    except OSError as error:
        said = failure_of_system(error)
    assert "part of an image" in (said.hint or ""), "it must not be moved"
    assert run.undo() is TargetState.RESTORED
    assert (data / "PG_VERSION").read_text() == "old"


LAYOUTS: list[Callable[[Path], None]] = [
    a_bind_mount_of_the_same_filesystem,
    a_bind_mount_whose_name_has_a_blank_and_an_umlaut,
    a_filesystem_of_its_own,
    a_link_to_a_mount_point,
    a_directory_below_a_link,
    a_wal_directory_that_is_a_bind_mount,
    a_directory_above_that_is_read_only,
    a_filesystem_that_is_read_only,
    a_directory_of_an_image,
]


def copied_over(data: Path, *, is_inside: bool, wal: Path | None = None) -> PlaceFacts:
    """Put a copy in place of the old data and take it back, then put one in place for good."""
    write(data, OLD)
    facts = observe_place(data, is_own=True)
    assert facts.can_write
    assert facts.can_rename is not is_inside
    place = _place(facts)
    wal_place = None if wal is None else _place(observe_place(wal, is_own=True))
    assert wal_place is None or wal_place.is_inside
    places = Places(place, wal_place, ())
    for takes_back in (True, False):
        run = new_steps()
        take(run, Reserve(places))
        prepare(place, NEW)
        if wal_place is not None:
            prepare(wal_place, WAL_NEW)
            (Path(place.new) / "pg_wal").symlink_to(wal_place.path)
        take(run, SwapIn(places))
        assert (data / "PG_VERSION").read_text() == "new"
        if takes_back:
            assert run.undo() is TargetState.RESTORED
            assert (data / "PG_VERSION").read_text() == "old"
            assert wal is None or (wal / "0000000A").read_text() == "old"
            assert leftovers(data.parent) == []
    assert wal is None or (wal / "0000000B").read_text() == "new"
    return facts


def prepare(place: Place, files: dict[str, str]) -> None:
    write(Path(place.new), files)


def made(directory: Path) -> Path:
    directory.mkdir(mode=0o700)
    return directory


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def bind(source: Path, point: Path) -> None:
    mount("--bind", source, point)


def mount(*words: str | Path) -> None:
    program = shutil.which("mount")
    assert program is not None
    subprocess.run([program, *words], check=True)


if __name__ == "__main__":
    sys.exit(main())
