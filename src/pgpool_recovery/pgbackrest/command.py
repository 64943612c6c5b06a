"""Build the command lines of pgbackrest, and the one that is a restore_command for a shell."""

import shlex

from pgpool_recovery.facts.backup import Backup, Restoration

QUIET = ("--log-level-file=off", "--log-level-stderr=error", "--no-log-timestamp")
"""Write nothing to its log directory, which another user may own; we pass on its output."""


def info_words(
    program: str, stanza: str, *, protocol_timeout_s: float, of: tuple[int, str] | None = None
) -> list[str]:
    """Return the words of info for a stanza, or with `of` for one backup (repository, label)."""
    words = [program, f"--stanza={stanza}", *QUIET, "--log-level-console=off"]
    words += ["--output=json", protocol_timeout(protocol_timeout_s)]
    if of is not None:
        repo, label = of
        words += [f"--repo={repo}", f"--set={label}"]
    return [*words, "info"]


def repository_words(
    program: str, stanza: str, *, protocol_timeout_s: float, repo: int
) -> list[str]:
    """Return the words before the command, for a command on a repository's files."""
    words = [program, f"--stanza={stanza}", f"--repo={repo}", *QUIET, "--log-level-console=off"]
    return [*words, protocol_timeout(protocol_timeout_s)]


def list_histories(stanza: str, archive: str) -> list[str]:
    """Return the command that lists the history files of an archive, such as ``15-1``."""
    return [r"--filter=\.history$", "repo-ls", f"archive/{stanza}/{archive}"]


def read_file(stanza: str, archive: str, name: str) -> list[str]:
    """Return the command that prints a file of an archive."""
    return ["repo-get", f"archive/{stanza}/{archive}/{name}"]


def restore_words(restoration: Restoration, *, protocol_timeout_s: float) -> list[str]:
    """Return the words of a restore that rewrites only what differs.

    It restores exactly the backup of the plan. Some options in the node's pgbackrest.conf are for
    other occasions, so they are reset: the targets of links and tablespaces, recovery settings, and
    databases to include or exclude. A link could make it write anywhere, and an excluded database
    is filled with zeros. The options for the repository, compression, encryption and the number of
    processes stay in force.
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
    """Return the word that identifies each process of a restore, also on the repository's host."""
    return f"--pg1-path={directory}"


def _tablespace_words(locations: dict[int, str]) -> list[str]:
    if not locations:
        return ["--reset-tablespace-map", "--reset-tablespace-map-all"]
    maps = [f"--tablespace-map={oid}={location}" for oid, location in locations.items()]
    return [*maps, "--reset-tablespace-map-all"]


def protocol_timeout(timeout_s: float) -> str:
    """Return the option that limits how long pgbackrest waits for the other end."""
    return f"--protocol-timeout={_seconds(timeout_s)}"


def limit_variables(timeout_s: float) -> dict[str, str]:
    """Return the environment that a command with protocol_timeout() needs.

    pgbackrest requires that limit to be above db-timeout, which pgbackrest.conf may set, even for a
    command that never queries a database. So db-timeout is lowered, and by a variable, since
    releases differ in which commands accept it as an option (2.45 and 2.60).
    """
    return {"PGBACKREST_DB_TIMEOUT": f"{_seconds(timeout_s) / 2:g}"}


def _seconds(timeout_s: float) -> int:
    return max(1, round(timeout_s))


def archive_get(backup: Backup, data_directory: str) -> str:
    """Return the restore_command that fetches WAL from the backup's repositories.

    When a repository's host is silent, each call ends within `answer_s` of the backup. Without that
    limit it would end only after TCP's timeout, and a server in promotion makes several calls
    before it accepts writes.

    PostgreSQL replaces percent signs (runtime-config-wal.html) and passes the command to a shell,
    so our own words are quoted for both. The data directory is named, because a standby's
    pgbackrest.conf may not name it.
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
