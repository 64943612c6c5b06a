"""The words of the trade as values: nodes, places, control data, events, errors."""
