"""What tests share: databases, units as processes, faults, and waiting for conditions.

testcontainers reads these when it is imported. The helper container that it would pull to clean up cannot be pulled
everywhere; `tests.support.timescale` removes what a killed run left. Inside a virtual machine it would take the
bridge's address for the engine's, while ports are published on the loopback address.
"""

import os

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
if os.environ.get("DOCKER_HOST", "unix://").startswith("unix://"):
    os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
