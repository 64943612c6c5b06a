"""`make demo`: the main job on this machine, shown step by step."""
