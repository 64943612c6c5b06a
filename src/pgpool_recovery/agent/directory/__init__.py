"""The data directory of a target: its workspace, its own files, its configuration."""
