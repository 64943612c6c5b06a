"""Name the entries of a data directory that belong to the cluster; any other is the node's own."""

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
"""Entries that are part of the cluster (storage-file-layout.html) or of one run of a server."""

SMALL_BYTES = 256 * 1024
"""A larger file of the node's own is renamed if possible, since a copy takes time and space."""
