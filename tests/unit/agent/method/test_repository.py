"""The newest history files of a repository, whatever else is in the output of pgbackrest."""

from pgpool_recovery.agent.method.repository import KEPT, archived_histories
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.archived_history import ArchivedHistory
from pgpool_recovery.facts.backup import NoBackup
from pgpool_recovery.host.program import Completed

NOISE = "Warning: Permanently added 'repository' to the list of known hosts.\n"
FAILED = NoBackup("pgbackrest repo-get failed")


def ask(
    files: dict[tuple[int, str], str], archives: tuple[tuple[int, str], ...] = ((1, "15-1"),)
) -> tuple[tuple[ArchivedHistory, ...] | NoBackup, list[str]]:
    """Return what is found if there are these files, by repository and path, and what was read."""
    read: list[str] = []

    def call(repo: int, command: list[str]) -> Completed | NoBackup:
        path = command[-1].removeprefix("archive/main/")
        if "repo-ls" in command:
            own = [name for at, name in files if (at, name.partition("/")[0]) == (repo, path)]
            names = [name.partition("/")[2] for name in own]
            return Completed((), 0, NOISE + "\n".join(["0000000100000000", *names]))
        read.append(path)
        text = files[repo, path]
        return Completed((), 0, NOISE + text) if text else FAILED

    return archived_histories("main", archives, call), read


def test_output_of_ssh_is_not_part_of_a_file() -> None:
    found, _ = ask({(1, "15-1/00000002.history"): "1\t0/3000060\tno reason\n"})
    assert isinstance(found, tuple)
    [one] = found
    assert one.history is not None
    assert one.history.ends == (Point(TimelineId(1), Lsn(0x3000060)),)
    assert (one.timeline, one.reason) == (2, "no reason")


def test_only_the_newest_are_read() -> None:
    names = [f"15-1/{number:08X}.history" for number in range(2, 20)]
    _, read = ask({(1, name): "1\t0/3000060\tx\n" for name in names})
    assert read == names[-KEPT:]


def test_same_file_in_two_repositories_counts_once_and_different_ones_twice() -> None:
    same, other = "1\t0/3000060\tx\n", "1\t0/4000000\tx\n"
    name = "15-1/00000002.history"
    archives = ((1, "15-1"), (2, "15-1"))
    for second, count in ((same, 1), (other, 2)):
        found, _ = ask({(1, name): same, (2, name): second}, archives)
        assert isinstance(found, tuple)
        assert len(found) == count


def test_file_that_cannot_be_read_is_a_reason_not_to_restore() -> None:
    found, _ = ask({(1, "15-1/00000002.history"): ""})
    assert found == FAILED


def test_contents_that_are_not_a_history() -> None:
    found, _ = ask({(1, "15-1/00000002.history"): "404 Not Found\n"})
    assert isinstance(found, tuple)
    assert found[0].history is None
