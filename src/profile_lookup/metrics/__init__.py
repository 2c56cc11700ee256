"""Metrics for Prometheus: what is counted, and how the processes of a service export it together."""
