"""The words of pgbackrest's commands, and the one command that a shell will see."""

import shlex

from pgpool_recovery.facts.backup import Backup, Restoration

QUIET = ("--log-level-file=off", "--log-level-stderr=error", "--no-log-timestamp")
"""Nothing is written to its log directory, which another user may own: we pass on what it says."""


def info_words(
    program: str, stanza: str, *, protocol_timeout_s: float, of: tuple[int, str] | None = None
) -> list[str]:
    """Return the words that ask for a stanza, or for one backup: its repository and label."""
    words = [program, f"--stanza={stanza}", *QUIET, "--log-level-console=off"]
    words += ["--output=json", protocol_timeout(protocol_timeout_s)]
    if of is not None:
        repo, label = of
        words += [f"--repo={repo}", f"--set={label}"]
    return [*words, "info"]


def repository_words(
    program: str, stanza: str, *, protocol_timeout_s: float, repo: int
) -> list[str]:
    """Return the words of a command on a repository's files, but for the command."""
    words = [program, f"--stanza={stanza}", f"--repo={repo}", *QUIET, "--log-level-console=off"]
    return [*words, protocol_timeout(protocol_timeout_s)]


def list_histories(stanza: str, archive: str) -> list[str]:
    """Return the command that lists the history files of an archive, such as ``15-1``."""
    return [r"--filter=\.history$", "repo-ls", f"archive/{stanza}/{archive}"]


def read_file(stanza: str, archive: str, name: str) -> list[str]:
    """Return the command that writes out a file of an archive."""
    return ["repo-get", f"archive/{stanza}/{archive}/{name}"]


def restore_words(restoration: Restoration, *, protocol_timeout_s: float) -> list[str]:
    """Return the words of a restore that leaves alone all that is equal.

    It takes the very backup that the plan was made with. What the node's pgbackrest.conf may say
    of where links and tablespaces lead, of recovery settings and of databases to leave out is for
    other occasions, so it is reset: a link would let it write anywhere, and a database that was
    left out is zeros. What it says of the repository, compression, encryption and the number of
    processes holds.
    """
    backup = restoration.backup
    return [
        backup.program,
        f"--stanza={backup.repository.stanza}",
        f"--repo={backup.repo}",
        f"--set={backup.repository.label}",
        into(restoration.directory),
        "--delta",
        "--type=standby",
        "--archive-mode=preserve",
        "--reset-recovery-option",
        "--reset-db-include",
        "--reset-db-exclude",
        "--no-link-all",
        "--reset-link-map",
        *_tablespace_words(restoration.locations),
        *QUIET,
        "--log-level-console=detail",
        protocol_timeout(protocol_timeout_s),
        "restore",
    ]


def into(directory: str) -> str:
    """Return the word by which each process of a restore can be told, also on the repository."""
    return f"--pg1-path={directory}"


def _tablespace_words(locations: dict[int, str]) -> list[str]:
    if not locations:
        return ["--reset-tablespace-map", "--reset-tablespace-map-all"]
    maps = [f"--tablespace-map={oid}={location}" for oid, location in locations.items()]
    return [*maps, "--reset-tablespace-map-all"]


def protocol_timeout(timeout_s: float) -> str:
    """Return the word that limits how long pgbackrest waits for the other end."""
    return f"--protocol-timeout={_seconds(timeout_s)}"


def limit_variables(timeout_s: float) -> dict[str, str]:
    """Return the environment without which a configuration may not let that word stand.

    The limit has to be above db-timeout where pgbackrest.conf sets that, be it for a command that
    never asks a database; and releases differ on which commands know db-timeout as a word (2.45
    and 2.60).
    """
    return {"PGBACKREST_DB_TIMEOUT": f"{_seconds(timeout_s) / 2:g}"}


def _seconds(timeout_s: float) -> int:
    return max(1, round(timeout_s))


def archive_get(backup: Backup, data_directory: str) -> str:
    """Return the restore_command that gets WAL from the backup's repositories.

    A repository's host that is silent ends each call within the limit that is written: without one
    it is TCP that gives up, and a server that is promoted asks several times before it accepts
    writes.

    PostgreSQL gives it to a shell, and puts in what a percent sign announces
    (runtime-config-wal.html), so both are taken out of our own words. The data directory is named
    because a standby's pgbackrest.conf need not name it.
    """
    words = (
        backup.program,
        f"--stanza={backup.repository.stanza}",
        into(data_directory),
        protocol_timeout(backup.answer_s),
    )
    limit = "".join(f"{name}={text} " for name, text in limit_variables(backup.answer_s).items())
    own = limit + shlex.join(words).replace("%", "%%")
    return f'{own} archive-get %f "%p"'
