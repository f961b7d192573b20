"""What tests share: databases, units as processes, faults, and waiting for conditions."""
