"""Faults injected into a running fleet."""
