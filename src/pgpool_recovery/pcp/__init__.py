"""Use PCP, the protocol that reports on and controls the nodes of Pgpool-II."""
