"""The vocabulary of the package as values: nodes, control data, WAL positions, events, errors."""
