"""Whole units as real processes against a TimescaleDB container."""
