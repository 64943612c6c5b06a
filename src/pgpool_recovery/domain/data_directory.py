"""Say what belongs to the data of a server: what a copy has, and what is a node's own.

No other module has a list of that (tests/unit/domain/test_data_directory.py). The reference is what
a base backup sends: sendDir, excludeDirContents and excludeFiles in basebackup.c; pg_rewind passes
over the same (filemap.c). These are the same in PostgreSQL 14 to 19. What only some of them have,
such as pg_wal/summaries since 17, is named for all, since a name that is absent does no harm.

The entries of a data directory are of four kinds:

* `REPLACED`: directories of which all contents are the cluster's,
* `EMPTIED`: directories of which the contents are WAL, or belong to one run of a server,
* `LINKS`: the links to the tablespaces, which each node has of its own, and
* files: a few of the cluster, those that describe one run or one backup, and the node's own.

Which files of those below are sent is said in domain/sent_file.py.
"""

WAL = "pg_wal"
LINKS = "pg_tblspc"
WORKSPACE = "pgpool_recovery"
"""The name of our workspace inside a data directory, or the suffix of its name beside it."""
LOST_AND_FOUND = "lost+found"
"""What the filesystem has at the top of a mount; it is no data, and stays where it is."""
NO_DATA = (LOST_AND_FOUND, WORKSPACE)
"""What may be in a directory that is empty."""
BACKUP_LABEL = "backup_label"
STANDBY_SIGNAL = "standby.signal"
RECOVERY_SIGNAL = "recovery.signal"
AUTO_CONFIGURATION = "postgresql.auto.conf"

REPLACED = frozenset(
    {
        "base",
        "global",
        "pg_commit_ts",
        "pg_logical",
        "pg_multixact",
        "pg_stat",
        "pg_twophase",
        "pg_xact",
    }
)
"""Directories of which all contents are sent: in the end they contain that and nothing else."""
UNSENT_DIRECTORIES = frozenset(
    {
        "pg_dynshmem",
        "pg_notify",
        "pg_replslot",
        "pg_serial",
        "pg_snapshots",
        "pg_stat_tmp",
        "pg_subtrans",
    }
)
"""Directories whose contents neither a base backup nor pg_rewind reads (excludeDirContents)."""
EMPTIED = UNSENT_DIRECTORIES | {WAL}
"""Directories whose contents are never sent: they belong to one run of a server, or are WAL."""
EMPTIED_IN_WAL = ("archive_status", "summaries")
"""Directories in pg_wal that stay; only what is in them goes."""
USUALLY_EMPTY = ("pg_stat", LINKS, "pg_twophase", WAL)
"""Directories that backup programs may leave out because there is seldom anything in them."""
COUNTED = frozenset({"base", "global", LINKS, WAL})
"""Entries that the server itself includes in its size (pg_tablespace_size), and pg_wal."""

LAST_START = "postmaster.opts"
"""The command line with which the server was last started."""
OF_ONE_RUN = (LAST_START, "postmaster.pid")
OF_ONE_BACKUP = ("backup_manifest", "tablespace_map")
"""A server without a backup_label ignores the latter, and one with it replaces its links by it."""
REMOVED_FROM_CHANGED = (
    *OF_ONE_RUN,
    *OF_ONE_BACKUP,
    "backup_label.old",
    "tablespace_map.old",
    RECOVERY_SIGNAL,
)
"""What a directory that was changed in place no longer has: files of another backup or run."""
REMOVED_FROM_MADE = (
    *OF_ONE_RUN,
    "tablespace_map",
    "recovery.conf",
    RECOVERY_SIGNAL,
    STANDBY_SIGNAL,
)
"""What a server would take for its own past or future in a directory that a command has made.

The standby's own are written afterwards. The locations in tablespace_map are those of the node that
was backed up, and a server replaces the links by them (read_tablespace_map in xlogrecovery.c).
"""
SIGNALS = (STANDBY_SIGNAL, RECOVERY_SIGNAL)
STANDBY_FILES = (AUTO_CONFIGURATION, *SIGNALS, WAL)
"""What every method writes or replaces: that it could not is reported first, in this order."""

CLUSTER_ENTRIES = frozenset(
    {
        *REPLACED,
        *EMPTIED,
        LINKS,
        "PG_VERSION",
        BACKUP_LABEL,
        *REMOVED_FROM_CHANGED,
        STANDBY_SIGNAL,
        "current_logfiles",
        *NO_DATA,
    }
)
"""Entries that are part of the cluster (storage-file-layout.html) or of one run of a server."""
LOG_DIRECTORIES = ("log", "pg_log")
"""The usual places of a server's log in its data directory; a log is of one node alone."""
SMALL_BYTES = 256 * 1024
"""A larger file of the node's own is renamed if possible, since a copy takes time and space."""

GUARD_PREFIX = "pgpool_recovery."
"""How the names of our own files in ``global`` begin, which guard a directory that is half changed;
an interrupted run may have left some on either side, and they are never sent."""
UNSENT_FILES = frozenset(
    {
        "postgresql.auto.conf.tmp",
        "current_logfiles.tmp",
        "backup_label",
        "tablespace_map",
        "backup_manifest",
        "postmaster.pid",
        LAST_START,
        ".DS_Store",
    }
)
UNSENT_PREFIXES = ("pg_internal.init", "pgsql_tmp")
"""Files that neither a base backup nor pg_rewind reads, wherever they are (excludeFiles,
PG_TEMP_FILE_PREFIX, and what macOS leaves)."""


def is_of_node(name: str) -> bool:
    """Return whether an entry of a data directory is the node's own: no recovery may remove it.

    >>> is_of_node("pg_hba.conf"), is_of_node("log"), is_of_node("base")
    (True, True, False)
    """
    return name not in CLUSTER_ENTRIES


def is_never_sent(name: str) -> bool:
    """Return whether a file or directory is in no copy because of its name, wherever it is.

    >>> is_never_sent("postmaster.pid"), is_never_sent("pg_internal.init.7"), is_never_sent("1259")
    (True, True, False)
    """
    return name in UNSENT_FILES or name.startswith(UNSENT_PREFIXES)


def is_guard(directory: str, name: str) -> bool:
    """Return whether an entry of this directory is one of our own, which guard it."""
    return directory == "global" and name.startswith(GUARD_PREFIX)
