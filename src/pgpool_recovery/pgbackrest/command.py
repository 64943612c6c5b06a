"""The words of pgbackrest's commands, and the one command that a shell will see."""

import shlex

from pgpool_recovery.plan.backup import Backup, Restoration

QUIET = ("--log-level-file=off", "--log-level-stderr=error", "--no-log-timestamp")
"""Nothing is written to its log directory, which another user may own: we pass on what it says."""


def info_words(
    program: str, stanza: str, *, protocol_timeout_s: float, of: tuple[int, str] | None = None
) -> list[str]:
    """Return the words that ask for a stanza, or for one backup: its repository and label."""
    words = [program, f"--stanza={stanza}", *QUIET, "--log-level-console=off"]
    words += ["--output=json", _protocol_timeout(protocol_timeout_s)]
    if of is not None:
        repo, label = of
        words += [f"--repo={repo}", f"--set={label}"]
    return [*words, "info"]


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
        _protocol_timeout(protocol_timeout_s),
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


def _protocol_timeout(timeout_s: float) -> str:
    return f"--protocol-timeout={max(1, round(timeout_s))}"


def archive_get(backup: Backup, data_directory: str) -> str:
    """Return the restore_command that gets WAL from the backup's repositories.

    PostgreSQL gives it to a shell, and puts in what a percent sign announces
    (runtime-config-wal.html), so both are taken out of our own words. The data directory is named
    because a standby's pgbackrest.conf need not name it.
    """
    words = (
        backup.program,
        f"--stanza={backup.repository.stanza}",
        into(data_directory),
    )
    own = shlex.join(words).replace("%", "%%")
    return f'{own} archive-get %f "%p"'
