"""What is made sure of before a step writes into the files that a node has."""

from pathlib import Path

from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.domain.directory_state import Changing
from pgpool_recovery.host.stop import Stop


def see_files(data_directory: Path, journal: Journal, stop: Stop) -> None:
    """Make sure that a step finds each file as it is, by one name and on disk.

    Raises Refused if it would change two files by writing into one.
    """
    from pgpool_recovery.agent.method.cached import forget_cached
    from pgpool_recovery.agent.method.names import check_names

    def got_on() -> None:
        stop.check()
        stop.got_on()

    check_names(data_directory, got_on)
    if isinstance(journal.state, Changing):
        forget_cached(data_directory, got_on)
