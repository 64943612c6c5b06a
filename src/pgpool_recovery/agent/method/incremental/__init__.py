"""The method incremental: apply an incremental base backup to the stale data directory."""
