"""Metrics of recoveries and checks, in a text file for Prometheus's node_exporter."""
