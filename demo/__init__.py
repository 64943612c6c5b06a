"""Run `make demo`: a recovery on this machine, shown step by step."""
