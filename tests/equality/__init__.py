"""After each method of recovery, the node equals the primary, whatever happened meanwhile."""
