"""Pure rules, one at a time."""
