"""From facts about all nodes to what stands in the way of a recovery: pure functions."""
