"""What the commands for people do: ask the pool and the nodes, recover, watch, cancel, change."""
