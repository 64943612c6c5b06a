"""Take the steps of a plan on the target, and undo them."""
