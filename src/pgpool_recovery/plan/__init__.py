"""Facts in, plan out: pure functions that decide how a node is recovered."""
