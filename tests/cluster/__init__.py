"""Tests on whole clusters: real PostgreSQL, sshd and Pgpool-II, and the real pcp_recovery_node."""
