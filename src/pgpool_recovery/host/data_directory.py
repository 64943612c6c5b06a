"""What a data directory holds, and which of its files are the node's own."""

CLUSTER_ENTRIES = frozenset(
    {
        "PG_VERSION",
        "base",
        "global",
        "pg_commit_ts",
        "pg_dynshmem",
        "pg_logical",
        "pg_multixact",
        "pg_notify",
        "pg_replslot",
        "pg_serial",
        "pg_snapshots",
        "pg_stat",
        "pg_stat_tmp",
        "pg_subtrans",
        "pg_tblspc",
        "pg_twophase",
        "pg_wal",
        "pg_xact",
        "backup_label",
        "backup_label.old",
        "backup_manifest",
        "tablespace_map",
        "tablespace_map.old",
        "standby.signal",
        "recovery.signal",
        "postmaster.pid",
        "postmaster.opts",
        "current_logfiles",
        "lost+found",
        "pgpool_recovery",
    }
)
"""What belongs to the cluster's contents (storage-file-layout.html) or to one run of a server."""

SMALL_BYTES = 256 * 1024
"""An own file that is larger gets another name where it can: a copy takes time and room."""
