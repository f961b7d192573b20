"""Unit and property tests (no database), integration and e2e (a real one), chaos (faults), and their support."""
