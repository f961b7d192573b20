"""Makes a Docker engine and a TimescaleDB image available: `python -m tools.timescaledb` in the checkout.

Standard library only and no step that needs an image registry: it must work on a bare Debian machine.
"""
