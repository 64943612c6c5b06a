"""The two ends of a channel for blocks: one agent starts another one, and they speak in frames."""
