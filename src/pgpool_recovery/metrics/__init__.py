"""Recoveries and checks in numbers, in a text file for Prometheus's node_exporter."""
