"""Parts of the system against a real database and real processes."""
